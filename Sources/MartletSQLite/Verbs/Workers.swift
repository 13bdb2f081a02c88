import Foundation
import GRDB
import MartletCore
import MartletStore

enum Workers {
    static func register(
        _ worker: WorkerRegistration, beacon: Int64, clock: any StoreClock, _ db: Database
    ) throws -> WorkerID {
        let now = clock.now().microseconds
        try db.run(
            """
            insert into martlet_worker (name, host, pid, version, kinds, queues, concurrency, lease_ms, started_at,
              heartbeat_at, boot_id, expires_boot_ms, beacon, report)
            values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            .text(worker.name), .text(worker.host), .int(worker.pid), .text(worker.version), .text(try json(worker.kinds)),
            .optional(try worker.queues.map(json)), .int(worker.concurrency), .int(worker.lease.milliseconds), .int(now),
            .int(now), .text(clock.bootID()), .int(clock.sinceBoot() + worker.lease.milliseconds), .int(beacon),
            .optional(worker.report?.utf8))
        return WorkerID(rawValue: db.lastInsertedRowID)
    }

    /// The newest of the name, ended or not; or else of the host.
    static func lastReport(name: String, host: String, _ db: Database) throws -> JSONText? {
        try db.first(
            """
            select report from martlet_worker where report is not null and (name = ?1 or host = ?2)
            order by name = ?1 desc, id desc limit 1
            """, .text(name), .text(host)
        ) { JSONText(trusted: $0.bytes(0)) }
    }

    static func heartbeat(
        _ worker: WorkerID, report: JSONText?, clock: any StoreClock, _ db: Database
    ) throws -> HeartbeatReply {
        try db.run(
            """
            update martlet_worker set heartbeat_at = ?2, expires_boot_ms = ?3 + lease_ms, boot_id = ?4,
              report = coalesce(?5, report)
            where id = ?1 and ended_at is null
            """,
            .int(worker.rawValue), .int(clock.now().microseconds), .int(clock.sinceBoot()), .text(clock.bootID()),
            .optional(report?.utf8))
        guard db.changesCount == 1 else { return HeartbeatReply(alive: false, cancelled: []) }
        let requests = try db.rows(
            """
            select c.lease, c.idx from martlet_cancel_request c join martlet_lease l on l.id = c.lease
            where l.worker = ? and l.open > 0
            """, .int(worker.rawValue)
        ) { CancelRequest(lease: LeaseID(rawValue: $0.int(0)), index: $0.count(1)) }
        return HeartbeatReply(alive: true, cancelled: requests)
    }

    static func isAlive(_ worker: WorkerID, _ db: Database) throws -> Bool {
        try db.first("select 1 from martlet_worker where id = ? and ended_at is null", .int(worker.rawValue)) { _ in true }
            ?? false
    }

    static func list(_ liveness: Liveness, _ db: Database) throws -> [WorkerSummary] {
        try db.rows(
            """
            select id, name, host, pid, version, kinds, queues, concurrency, started_at, heartbeat_at,
              beacon, boot_id <> ?1 or expires_boot_ms <= ?2,
              (select coalesce(sum(open), 0) from martlet_lease l where l.worker = w.id and l.open > 0), report
            from martlet_worker w where ended_at is null order by id
            """, .text(liveness.clock.bootID()), .int(liveness.clock.sinceBoot())
        ) { row in
            WorkerSummary(
                id: WorkerID(rawValue: row.int(0)), name: row.text(1), host: row.text(2), pid: row.count(3),
                version: row.text(4), kinds: try names(row.text(5)), queues: try row.optionalText(6).map(names),
                concurrency: row.count(7), startedAt: Timestamp(microseconds: row.int(8)),
                heartbeatAt: Timestamp(microseconds: row.int(9)),
                alive: !liveness.isDead(beacon: row.int(10), isExpired: row.int(11) != 0), running: row.count(12),
                report: row.optionalBytes(13).map { JSONText(trusted: $0) })
        }
    }

    private static func json(_ names: [String]) throws -> String {
        String(decoding: try JSONEncoder().encode(names), as: UTF8.self)
    }

    private static func names(_ json: String) throws -> [String] {
        try JSONDecoder().decode([String].self, from: Data(json.utf8))
    }
}
