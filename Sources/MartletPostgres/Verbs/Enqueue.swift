import MartletCore
import MartletPQ
import MartletStore
import Synchronization

/// Appends jobs, in one statement for any number of lanes.
///
/// A transaction that makes a lane keeps others from making the same one until it ends. So lanes that this process has not
/// met are made before, by a call that is committed at once; the jobs then find theirs. Only a job that comes alone makes its
/// lane itself: it keeps nobody waiting for longer than that call would, and spares whoever starts a program for each job that call.
final class Enqueue: Sendable {
    private let statement: Statement
    private let makeLanes: Statement
    private let known = Mutex<Set<Key>>([])

    /// Enough for any queue; who has more asks again now and then.
    private static let mostKnown = 10_000

    private static func call(_ place: Place) -> String {
        "select \(place.quoted).enqueue_batch($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
    }

    init(_ place: Place) {
        statement = Statement(Self.call(place))
        makeLanes = Statement("select \(place.quoted).make_lanes($1, $2, $3)")
    }

    func run(_ jobs: [NewJob], _ database: Database) async throws(StoreError) -> [JobID] {
        guard !jobs.isEmpty else { return [] }
        let (keys, lanes) = Self.lanes(of: jobs)
        if jobs.count > 1 { try await make(keys, database) }
        let rows = try await database.run(statement, Self.parameters(jobs, keys, lanes))
        if jobs.count == 1 { remember(keys) }
        return rows.int8s(0, 0).map { JobID(rawValue: $0) }
    }

    /// One job, in one round trip with the question whether the schema is the one that this program is made for.
    /// - Returns: nil when it is another one, or the server refused for what has to do with that: nothing is enqueued then.
    static func atOnce(_ job: NewJob, _ database: Database) throws(StoreError) -> JobID? {
        let place = database.place
        let known = "version >= \(Schema.latest) and serves <= \(Schema.latest)"
        let isKnown = "(select \(known) from \(place.quoted).migration order by version desc limit 1)"
        let (keys, lanes) = lanes(of: [job])
        let rows = try database.tryBlocking(
            .once("\(call(place)) where \(isKnown)"), parameters([job], keys, lanes))
        guard let rows, rows.count == 1 else { return nil }
        return rows.int8s(0, 0).first.map { JobID(rawValue: $0) }
    }

    /// Makes the lanes that are new to this process.
    /// - Returns: the parameters of `enqueue_batch`.
    func prepare(_ jobs: [NewJob], _ database: Database) async throws(StoreError) -> [Value] {
        let (keys, lanes) = Self.lanes(of: jobs)
        try await make(keys, database)
        return Self.parameters(jobs, keys, lanes)
    }

    private struct Key: Hashable {
        let kind: String
        let queue: String
        let priority: Int
    }

    private func make(_ keys: [Key], _ database: Database) async throws(StoreError) {
        let new = known.withLock { known in keys.filter { !known.contains($0) } }
        guard !new.isEmpty else { return }
        _ = try await database.run(
            makeLanes, [.texts(new.map(\.kind)), .texts(new.map(\.queue)), .int4s(new.map { Int32($0.priority) })])
        remember(new)
    }

    private func remember(_ keys: [Key]) {
        known.withLock { known in
            let new = keys.filter { !known.contains($0) }
            if known.count + new.count > Self.mostKnown { known = [] }
            known.formUnion(new)
        }
    }

    /// The lanes, and for each job which one, from 1.
    private static func lanes(of jobs: [NewJob]) -> ([Key], [Int32]) {
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
        return (keys, lanes)
    }

    private static func parameters(_ jobs: [NewJob], _ keys: [Key], _ lanes: [Int32]) -> [Value] {
        [
            .array(ArrayBuilder(.text, jobs) { $0.utf8($1.args.utf8) }),
            .texts(keys.map(\.kind)), .texts(keys.map(\.queue)), .int4s(keys.map { Int32($0.priority) }),
            keys.count > 1 ? .int4s(lanes) : .null,
            .sparse(.int4, jobs.map { $0.maxAttempts }) { $0.int4(Int32($1)) },
            .sparse(.int8, jobs.map { $0.timeout?.milliseconds }) { $0.int8($1) },
            .sparse(.int8, jobs.map(\.start.delay)) { $0.int8($1) },
            .sparse(.int8, jobs.map(\.start.time)) { $0.int8($1) },
            .sparse(.int8, jobs.map { $0.expires?.delay }) { $0.int8($1) },
            .sparse(.int8, jobs.map { $0.expires?.time }) { $0.int8($1) },
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

extension NewJob.Expiry {
    fileprivate var delay: Int64? {
        switch self {
        case .at: nil
        case .after(let delay): delay.microseconds
        }
    }

    fileprivate var time: Int64? {
        switch self {
        case .after: nil
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
