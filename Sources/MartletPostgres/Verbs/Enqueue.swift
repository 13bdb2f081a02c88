import MartletCore
import MartletPQ
import MartletStore

/// Appends jobs, in one statement for any number of lanes.
struct Enqueue: Sendable {
    private let statement: Statement

    init(_ place: Place) {
        statement = Statement("select \(place.quoted).enqueue_batch($1, $2, $3, $4, $5, $6, $7, $8, $9)")
    }

    func run(_ jobs: [NewJob], _ database: Database) async throws(StoreError) -> [JobID] {
        guard !jobs.isEmpty else { return [] }
        let rows = try await database.run(statement, Self.parameters(jobs))
        return rows.int8s(0, 0).map { JobID(rawValue: $0) }
    }

    private struct Key: Hashable {
        let kind: String
        let queue: String
        let priority: Int
    }

    private static func parameters(_ jobs: [NewJob]) -> [Value] {
        var numbers: [Key: Int32] = [:]
        var keys: [Key] = []
        var last: (key: Key, number: Int32)?
        let lanes = jobs.map { job -> Int32 in
            // Neighbours mostly share their lane.
            if let last, last.key.kind == job.kind, last.key.queue == job.queue, last.key.priority == job.priority.rawValue {
                return last.number
            }
            let key = Key(kind: job.kind, queue: job.queue, priority: job.priority.rawValue)
            let number = numbers[key] ?? Int32(keys.count + 1)
            if numbers.updateValue(number, forKey: key) == nil { keys.append(key) }
            last = (key, number)
            return number
        }
        return [
            .array(ArrayBuilder(.text, jobs) { $0.utf8($1.args.utf8) }),
            .texts(keys.map(\.kind)), .texts(keys.map(\.queue)), .int4s(keys.map { Int32($0.priority) }),
            keys.count > 1 ? .int4s(lanes) : .null,
            .sparse(.int4, jobs.map { $0.maxAttempts }) { $0.int4(Int32($1)) },
            .sparse(.int8, jobs.map { $0.timeout?.milliseconds }) { $0.int8($1) },
            .sparse(.int8, jobs.map(\.start.delay)) { $0.int8($1) },
            .sparse(.int8, jobs.map(\.start.time)) { $0.int8($1) },
        ]
    }
}

extension NewJob.Start {
    fileprivate var delay: Int64? {
        switch self {
        case .now, .at: nil
        case .after(let delay): delay.microseconds
        }
    }

    fileprivate var time: Int64? {
        switch self {
        case .now, .after: nil
        case .at(let time): time.microseconds
        }
    }
}

extension Value {
    /// An array, or NULL when all of it would be.
    static func sparse<T>(_ type: TypeID, _ values: [T?], _ add: (inout FieldBuffer, T) -> Void) -> Value {
        guard values.contains(where: { $0 != nil }) else { return .null }
        return .array(
            ArrayBuilder(type, values) { buffer, value in if let value { add(&buffer, value) } else { buffer.null() } })
    }
}
