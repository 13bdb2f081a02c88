import MartletCore
import MartletPQ
import MartletStore

/// Writes how jobs ended: runs of neighbours under one lease as bytes, and what else is to be said of single jobs.
struct Settle: Sendable {
    private let statement: Statement
    private let following: Statement
    private let enqueue: Enqueue

    init(_ place: Place, _ enqueue: Enqueue) {
        func call(_ name: String, _ count: Int) -> Statement {
            let parameters = (1...count).map { "$\($0)" }.joined(separator: ", ")
            return Statement("select lost, repeated from \(place.quoted).\(name)(\(parameters))")
        }
        statement = call("settle", 18)
        following = call("settle_and_enqueue", 31)
        self.enqueue = enqueue
    }

    func run(_ settlements: [Settlement], _ database: Database) async throws(StoreError) -> SettleReply {
        guard !settlements.isEmpty else { return SettleReply(lost: [], repeated: 0) }
        let (first, repeated) = Self.withoutRepeats(settlements)
        let rows = try await write(first, database)
        let lost = Set(rows.int8s(0, 0).map { LeaseID(rawValue: $0) })
        return SettleReply(
            lost: lost, repeated: Int(rows.int(0, 1)) + repeated.count { !lost.contains($0.lease) })
    }

    private func write(_ settlements: [Settlement], _ database: Database) async throws(StoreError) -> Rows {
        let parameters = Self.parameters(settlements)
        let followed = settlements.filter { !$0.followUps.isEmpty }
        guard !followed.isEmpty else { return try await database.run(statement, parameters) }
        let jobs = followed.flatMap(\.followUps)
        let leases = followed.flatMap { Array(repeating: $0.lease.rawValue, count: $0.followUps.count) }
        let indexes = followed.flatMap { Array(repeating: Int32(clamping: $0.index), count: $0.followUps.count) }
        let batch = try await enqueue.prepare(jobs, database)
        return try await database.run(following, parameters + [.int8s(leases), .int4s(indexes)] + batch)
    }

    /// In the order of leases and indexes; of the same job twice, only the first.
    private static func withoutRepeats(_ settlements: [Settlement]) -> (first: [Settlement], repeated: [Settlement]) {
        let isSorted = zip(settlements, settlements.dropFirst()).allSatisfy { ($0.lease, $0.index) < ($1.lease, $1.index) }
        if isSorted { return (settlements, []) }
        let sorted = settlements.indices.sorted { a, b in
            (settlements[a].lease, settlements[a].index, a) < (settlements[b].lease, settlements[b].index, b)
        }
        var first: [Settlement] = []
        var repeated: [Settlement] = []
        first.reserveCapacity(sorted.count)
        for settlement in sorted.lazy.map({ settlements[$0] }) {
            if let last = first.last, last.lease == settlement.lease, last.index == settlement.index {
                repeated.append(settlement)
            } else {
                first.append(settlement)
            }
        }
        return (first, repeated)
    }

    /// Neighbours under one lease, as the statement takes them.
    private struct Run {
        let lease: LeaseID
        let first: Int
        private(set) var endings: [UInt8] = []
        private(set) var times: [UInt8] = []
        private(set) var completed: Int32 = 0

        init(_ settlements: ArraySlice<Settlement>) {
            lease = settlements[settlements.startIndex].lease
            first = settlements[settlements.startIndex].index
            endings.reserveCapacity(settlements.count)
            times.reserveCapacity(settlements.count * 8)
            for index in settlements.indices {
                let mark = settlements[index].ending.mark
                endings.append(mark)
                if mark == 1 { completed += 1 }
                let seconds = settlements[index].seconds
                add(seconds.waited)
                add(seconds.ran)
            }
        }

        private mutating func add(_ seconds: Float32) {
            var bits = seconds.bitPattern
            for _ in 0..<4 {
                times.append(UInt8(truncatingIfNeeded: bits))
                bits >>= 8
            }
        }
    }

    private static func runs(_ settlements: [Settlement]) -> [Run] {
        var runs: [Run] = []
        var start = settlements.startIndex
        while start < settlements.endIndex {
            let lease = settlements[start].lease
            var end = start + 1
            while end < settlements.endIndex, settlements[end].lease == lease,
                settlements[end].index == settlements[end - 1].index + 1
            {
                end += 1
            }
            runs.append(Run(settlements[start..<end]))
            start = end
        }
        return runs
    }

    private static func parameters(_ settlements: [Settlement]) -> [Value] {
        let runs = runs(settlements)
        var values: [Value] = [
            .int8s(runs.map(\.lease.rawValue)), .int4s(runs.map { Int32(clamping: $0.first) }), .byteas(runs.map(\.endings)),
            .byteas(runs.map(\.times)), .int4s(runs.map(\.completed)),
        ]
        let details = settlements.filter { $0.ending.leavesSomething || $0.usage != nil }
        guard !details.isEmpty else { return values + Array(repeating: .null, count: 13) }
        let errors = details.map(\.ending.error)
        values += [
            .int8s(details.map(\.lease.rawValue)), .int4s(details.map { Int32(clamping: $0.index) }),
            .sparse(.int8, details.map(\.ending.delay)) { $0.int8($1) },
            .texts(details.map(\.ending.reason)),
            .texts(errors.map { $0?.type }), .texts(errors.map { $0?.message }),
            .texts(errors.map { $0?.detail }),
            .texts(errors.map { $0.map { ErrorFingerprint(type: $0.type, message: $0.message).id } }),
            .int4s(details.map { Int32(clamping: $0.maxAttempts) }),
            .array(
                ArrayBuilder(.text, details.map(\.ending.result)) { buffer, result in
                    if let result { buffer.utf8(result.utf8) } else { buffer.null() }
                }),
            .sparse(.int8, details.map { $0.usage?.peakMemory }) { $0.int8(Int64($1)) },
            .sparse(.int8, details.map { $0.usage?.processorTime?.microseconds }) { $0.int8($1) },
            .sparse(.int8, details.map { $0.usage?.blocked?.microseconds }) { $0.int8($1) },
        ]
        return values
    }
}

extension Ending {
    /// As `lease.endings` has it.
    fileprivate var mark: UInt8 {
        switch self {
        case .completed: 1
        case .retryable: 2
        case .snoozed: 3
        case .failed: 4
        case .cancelled: 5
        case .givenBack: 6
        case .crashed: 7
        }
    }

    fileprivate var leavesSomething: Bool {
        switch self {
        case .completed(let result): result != nil
        case .retryable, .snoozed, .crashed, .failed, .cancelled, .givenBack: true
        }
    }

    fileprivate var result: JSONText? {
        switch self {
        case .completed(let result): result
        case .retryable, .snoozed, .crashed, .failed, .cancelled, .givenBack: nil
        }
    }

    fileprivate var error: JobError? {
        switch self {
        case .retryable(let error, _), .crashed(let error, _), .failed(let error, _): error
        case .completed, .snoozed, .cancelled, .givenBack: nil
        }
    }

    fileprivate var delay: Int64? {
        switch self {
        case .retryable(_, let delay), .crashed(_, let delay), .snoozed(let delay): delay.microseconds
        case .completed, .failed, .cancelled, .givenBack: nil
        }
    }

    fileprivate var reason: String? {
        switch self {
        case .failed(_, let reason): reason.rawValue
        case .completed, .retryable, .snoozed, .crashed, .cancelled, .givenBack: nil
        }
    }
}
