import MartletCore
import MartletPQ
import MartletStore

/// Registration, liveness, and what any worker does for all: recovery, promotion, retention.
struct Workers: Sendable {
    private let register: Statement
    private let lastReport: Statement
    private let progress: Statement
    private let heartbeat: Statement
    private let deregister: Statement
    private let recover: Statement
    private let promote: Statement
    private let retain: Statement
    private let list: Statement

    init(_ place: Place) {
        let schema = place.quoted
        register = Statement("select \(schema).register($1, $2, $3, $4, $5, $6, $7, $8, $9)")
        lastReport = Statement("select \(schema).last_report($1, $2)")
        progress = Statement("select \(schema).report_progress($1, $2, $3, $4)")
        heartbeat = Statement("select alive, leases, indexes::int8[] from \(schema).heartbeat($1, $2)")
        deregister = Statement("select \(schema).deregister($1)")
        recover = Statement("select workers, leases, jobs from \(schema).recover()")
        promote = Statement("select moved, next from \(schema).promote($1)")
        retain = Statement(
            "select \(schema).retain($1 * interval '1 microsecond', $2 * interval '1 microsecond', $3)")
        list = Statement(
            """
            select w.id, w.name, w.host, w.pid, w.version, w.kinds, w.queues, w.concurrency, w.started_at, w.heartbeat_at,
              w.expires_at > \(schema).clock(), coalesce(l.open, 0)::int8, w.report
            from \(schema).worker w
            left join (select worker, sum(open) as open from \(schema).lease where completed < count group by worker) l
              on l.worker = w.id
            where w.ended_at is null order by w.id
            """)
    }

    func register(_ worker: WorkerRegistration, _ database: Database) async throws(StoreError) -> WorkerID {
        let rows = try await database.run(
            register,
            [
                .text(worker.name), .text(worker.host), .int4(Int32(clamping: worker.pid)), .text(worker.version),
                .texts(worker.kinds), worker.queues.map { Value.texts($0) } ?? .null,
                .int4(Int32(clamping: worker.concurrency)), .int8(worker.lease.milliseconds), .text(worker.report?.string),
            ])
        return WorkerID(rawValue: rows.int(0, 0))
    }

    func lastReport(name: String, host: String, _ database: Database) async throws(StoreError) -> JSONText? {
        try await database.run(lastReport, [.text(name), .text(host)]).optionalBytes(0, 0).map { JSONText(trusted: $0) }
    }

    /// Of the same job twice, the last counts.
    func progress(_ reports: [JobProgress], _ database: Database) async throws(StoreError) -> Set<LeaseID> {
        guard !reports.isEmpty else { return [] }
        let last = Dictionary(reports.map { (CancelRequest(lease: $0.lease, index: $0.index), $0) }) { $1 }.values
        let rows = try await database.run(
            progress,
            [
                .int8s(last.map(\.lease.rawValue)), .int4s(last.map { Int32(clamping: $0.index) }),
                .sparse(.float8, last.map(\.fraction)) { $0.float8($1) }, .texts(last.map(\.note)),
            ])
        return Set(rows.int8s(0, 0).map { LeaseID(rawValue: $0) })
    }

    func heartbeat(_ worker: WorkerID, report: JSONText?, _ database: Database) throws(StoreError) -> HeartbeatReply {
        let rows = try database.runBlocking(heartbeat, [.int8(worker.rawValue), .text(report?.string)])
        guard rows.bool(0, 0) else { return HeartbeatReply(alive: false, cancelled: []) }
        guard !rows.isNull(0, 1) else { return HeartbeatReply(alive: true, cancelled: []) }
        let requests = zip(rows.int8s(0, 1), rows.int8s(0, 2)).map { lease, index in
            CancelRequest(lease: LeaseID(rawValue: lease), index: Int(index))
        }
        return HeartbeatReply(alive: true, cancelled: requests)
    }

    func deregister(_ worker: WorkerID, _ database: Database) async throws(StoreError) {
        _ = try await database.run(deregister, [.int8(worker.rawValue)])
    }

    func recover(_ database: Database) async throws(StoreError) -> RecoveryReply {
        let rows = try await database.run(recover)
        return RecoveryReply(
            workers: rows.int8s(0, 0).map { WorkerID(rawValue: $0) }, revokedLeases: Int(rows.int(0, 1)),
            recoveredJobs: Int(rows.int(0, 2)))
    }

    func promote(limit: Int, _ database: Database) async throws(StoreError) -> PromotionReply {
        let rows = try await database.run(promote, [.int4(Int32(clamping: limit))])
        return PromotionReply(moved: Int(rows.int(0, 0)), nextDue: rows.optionalInt(0, 1).map { .microseconds($0) })
    }

    func retain(_ policy: RetentionPolicy, limit: Int, _ database: Database) async throws(StoreError) -> Int {
        let rows = try await database.run(
            retain,
            [
                .float8(Double(policy.completed.microseconds)), .float8(Double(policy.failed.microseconds)),
                .int4(Int32(clamping: limit)),
            ])
        return Int(rows.int(0, 0))
    }

    func list(_ database: Database) async throws(StoreError) -> [WorkerSummary] {
        let rows = try await database.read(list)
        return (0..<rows.count).map { row in
            WorkerSummary(
                id: WorkerID(rawValue: rows.int(row, 0)), name: rows.text(row, 1), host: rows.text(row, 2),
                pid: Int(rows.int(row, 3)), version: rows.text(row, 4), kinds: rows.texts(row, 5).compactMap { $0 },
                queues: rows.isNull(row, 6) ? nil : rows.texts(row, 6).compactMap { $0 },
                concurrency: Int(rows.int(row, 7)), startedAt: Timestamp(microseconds: rows.timestamptz(row, 8)),
                heartbeatAt: Timestamp(microseconds: rows.timestamptz(row, 9)), alive: rows.bool(row, 10),
                running: Int(rows.int(row, 11)), report: rows.optionalBytes(row, 12).map { JSONText(trusted: $0) })
        }
    }
}
