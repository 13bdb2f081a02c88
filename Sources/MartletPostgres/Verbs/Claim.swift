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
        let parameters: [Value] = [
            .int8(request.worker.rawValue), .texts(wants.map(\.kind)),
            .int4s(wants.map { Int32(clamping: $0.limit) }), request.queues.map { Value.texts($0) } ?? .null,
            .int4(Int32(clamping: request.limit)), .bool(sleeps),
        ]
        while true {
            let rows = try await database.run(statement, parameters)
            guard rows.count == 1, rows.isNull(0, 0) else { return .leases((0..<rows.count).map { Self.lease(rows, $0) }) }
            // Each call waits for somebody else's, or gets past some cancelled jobs: this goes on, and it ends.
            guard rows.text(0, 1) == "now" else { return .again }
        }
    }

    private static func lease(_ rows: Rows, _ row: Int) -> Lease {
        let ids = rows.int8s(row, 4)
        let enqueued = rows.timestamptzs(row, 5)
        var args: [JSONText] = []
        args.reserveCapacity(ids.count)
        rows.forEachElement(row, 6) { args.append(JSONText(trusted: $0.map(Array.init) ?? [])) }
        let attempts = rows.int8s(row, 7)
        let crashes = rows.int8s(row, 8)
        let maxAttempts = rows.optionalInt8s(row, 9)
        let timeouts = rows.optionalInt8s(row, 10)
        let expireIn = rows.optionalInt8s(row, 11)
        let jobs = ids.indices.map { n in
            LeasedJob(
                id: JobID(rawValue: ids[n]), attempt: attempts.isEmpty ? 1 : Int(attempts[n]),
                crashes: crashes.isEmpty ? 0 : Int(crashes[n]),
                maxAttempts: maxAttempts.isEmpty ? nil : maxAttempts[n].map(Int.init),
                timeout: timeouts.isEmpty ? nil : timeouts[n].map { .milliseconds($0) },
                expiresIn: expireIn.isEmpty ? nil : expireIn[n].map { .microseconds($0) },
                enqueuedAt: Timestamp(microseconds: enqueued[n]!), args: args[n])
        }
        return Lease(
            id: LeaseID(rawValue: rows.int(row, 0)), kind: rows.text(row, 1), queue: rows.text(row, 2),
            priority: Priority(rawValue: Int(rows.int(row, 3)))!, jobs: jobs)
    }
}
