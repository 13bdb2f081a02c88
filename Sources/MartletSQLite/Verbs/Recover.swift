import GRDB
import MartletCore
import MartletStore

/// Takes back what dead workers held. A revoked lease accepts no settlement any more, whoever comes with it.
enum Recover {
    struct Registered {
        let id: WorkerID
        /// Silent for longer than its lease, or of an earlier boot of the machine.
        let isExpired: Bool
    }

    static func registered(clock: any StoreClock, _ db: Database) throws -> [Registered] {
        try db.rows(
            "select id, boot_id <> ? or expires_boot_ms <= ? from martlet_worker where ended_at is null",
            .text(clock.bootID()), .int(clock.sinceBoot())
        ) { Registered(id: WorkerID(rawValue: $0.int(0)), isExpired: $0.int(1) != 0) }
    }

    /// - Parameter crashed: whether the worker died with its jobs, which is counted for each of them.
    static func end(
        _ workers: [WorkerID], crashed: Bool, now: Timestamp, _ db: Database
    ) throws -> RecoveryReply {
        var tally = LaneTally()
        var leases = 0
        var jobs = 0
        for worker in workers {
            try db.run(
                "update martlet_worker set ended_at = ? where id = ? and ended_at is null", .int(now.microseconds),
                .int(worker.rawValue))
            let open = try db.rows("select id from martlet_lease where worker = ? and open > 0", .int(worker.rawValue)) {
                LeaseID(rawValue: $0.int(0))
            }
            for id in open {
                guard let lease = try OpenLease(id, db) else { continue }
                jobs += try takeBack(lease, crashed: crashed, now: now, &tally, db)
                try db.run(
                    "update martlet_lease set open = 0, revoked_at = ?2, finished_at = ?2 where id = ?1", .int(id.rawValue),
                    .int(now.microseconds))
                try db.run("delete from martlet_cancel_request where lease = ?", .int(id.rawValue))
                leases += 1
            }
        }
        try tally.write(db)
        return RecoveryReply(workers: workers, revokedLeases: leases, recoveredJobs: jobs)
    }

    /// What was not done goes to the end of the log; what a person had asked to stop ends here.
    private static func takeBack(
        _ lease: OpenLease, crashed: Bool, now: Timestamp, _ tally: inout LaneTally, _ db: Database
    ) throws -> Int {
        let stopped = Set(
            try db.rows("select idx from martlet_cancel_request where lease = ?", .int(lease.id.rawValue)) { $0.count(0) })
        var count = 0
        for index in 0..<lease.positions.count where lease.isOpen(index) {
            let entry = LogEntry(position: lease.positions[index], lane: lease.lane)
            if stopped.contains(index) {
                try entry.end(
                    .cancelled, attempts: 1, LogEntry.History(startedAt: nil, worker: lease.worker), now: now, db)
                tally.move(from: .running, to: .cancelled, lane: lease.lane)
            } else {
                try entry.append(attempts: 0, crashes: crashed ? 1 : 0, db)
                tally.move(from: .running, to: .available, lane: lease.lane)
                count += 1
            }
        }
        return count
    }
}
