import MartletCore
import MartletPQ
import MartletStore

/// Leases waiting jobs. What is decided, is decided by `claim` and `take` in `migrations/`.
struct Claim: Sendable {
    private let statement: Statement

    enum Reply {
        case leases([Lease])
        /// Nothing now; something may come without a hint.
        case again
    }

    init(_ place: Place) {
        statement = Statement("select * from \(place.quoted).claim($1, $2, $3, $4, $5, $6)")
    }

    /// - Parameter sleeps: whether the caller will wait for a hint when there is nothing.
    func run(_ request: ClaimRequest, sleeps: Bool, _ database: Database) async throws(StoreError) -> Reply {
        let wants = request.wants.filter { $0.limit > 0 }
        let rows = try await database.run(
            statement,
            [
                .int8(request.worker.rawValue), .texts(wants.map(\.kind)),
                .int4s(wants.map { Int32(clamping: $0.limit) }), request.queues.map { Value.texts($0) } ?? .null,
                .int4(Int32(clamping: request.limit)), .bool(sleeps),
            ])
        if rows.count == 1 && rows.isNull(0, 0) { return .again }
        return .leases(Self.leases(rows))
    }

    private static func leases(_ rows: Rows) -> [Lease] {
        var leases: [Lease] = []
        var start = 0
        while start < rows.count {
            let id = rows.int(start, 0)
            var end = start + 1
            while end < rows.count && rows.int(end, 0) == id { end += 1 }
            leases.append(
                Lease(
                    id: LeaseID(rawValue: id), kind: rows.text(start, 1), queue: rows.text(start, 2),
                    priority: Priority(rawValue: Int(rows.int(start, 3)))!, jobs: (start..<end).map { job(rows, $0) }))
            start = end
        }
        return leases
    }

    private static func job(_ rows: Rows, _ row: Int) -> LeasedJob {
        LeasedJob(
            id: JobID(rawValue: rows.int(row, 4)), attempt: Int(rows.int(row, 5)), crashes: Int(rows.int(row, 6)),
            maxAttempts: rows.optionalInt(row, 7).map(Int.init), timeout: rows.optionalInt(row, 8).map { .milliseconds($0) },
            enqueuedAt: Timestamp(microseconds: rows.timestamptz(row, 9)), args: JSONText(trusted: rows.bytes(row, 10)))
    }
}
