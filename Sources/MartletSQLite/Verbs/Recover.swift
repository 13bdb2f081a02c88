import GRDB
import MartletCore
import MartletStore

/// Takes back what dead workers held. A revoked lease accepts no settlement any more, whoever comes with it.
enum Recover {
    static func dead(_ liveness: Liveness, _ db: Database) throws -> [WorkerID] {
        try db.rows(
            "select id, beacon, boot_id <> ? or expires_boot_ms <= ? from martlet_worker where ended_at is null",
            .text(liveness.clock.bootID()), .int(liveness.clock.sinceBoot())
        ) { row in
            liveness.isDead(beacon: row.int(1), isExpired: row.int(2) != 0) ? WorkerID(rawValue: row.int(0)) : nil
        }.compactMap { $0 }
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
                try lease.forget(db)
                leases += 1
            }
        }
        try tally.write(now: now, db)
        return RecoveryReply(workers: workers, revokedLeases: leases, recoveredJobs: jobs)
    }

    /// What was not done goes to the end of the log; what a person had asked to stop ends here.
    private static func takeBack(
        _ lease: OpenLease, crashed: Bool, now: Timestamp, _ tally: inout LaneTally, _ db: Database
    ) throws -> Int {
        let stopped = try CancelRequests.of(lease.id, db)
        var count = 0
        for index in 0..<lease.positions.count where lease.isOpen(index) {
            let entry = LogEntry(position: lease.positions[index], lane: lease.lane)
            if stopped.contains(index) {
                try entry.end(
                    .cancelled, attempts: 1, LogEntry.History(startedAt: nil, worker: lease.worker), now: now, db)
                tally.move(from: .running, to: .cancelled, lane: lease.lane)
            } else if crashed {
                let state = try afterCrash(entry, lease, now: now, db)
                tally.move(from: .running, to: state, lane: lease.lane)
                count += 1
            } else {
                try entry.append(attempts: 0, db)
                tally.move(from: .running, to: .available, lane: lease.lane)
                count += 1
            }
        }
        return count
    }

    /// From this crash on a job waits before it runs again, longer each time: it may be what kills its workers. It does not fail
    /// for it, as others died with it and only one of them is guilty.
    private static let patience = Limits.crashes

    /// No attempt is charged, since the job may be innocent; but what happened is kept with it.
    private static func afterCrash(_ entry: LogEntry, _ lease: OpenLease, now: Timestamp, _ db: Database) throws -> JobState
    {
        let crashes = try db.first("select crashes + 1 from martlet_job where position = ?", .int(entry.position)) {
            $0.count(0)
        }
        guard let crashes else { throw StoreError.damaged("entry \(entry.position) of the log is missing") }
        try db.run(
            """
            insert into martlet_attempt_error (job, attempt, max_attempts, type, message, started_at, at, worker)
            select coalesce(id, position), attempt + 1, coalesce(max_attempts, ?2), 'crash', ?3, ?4, ?5, ?6
            from martlet_job where position = ?1
            """,
            .int(entry.position), .int(Limits.defaultMaxAttempts),
            .text("its worker died while it held this job; no attempt is charged"), .int(lease.claimedAt.microseconds),
            .int(now.microseconds), .optional(lease.worker))
        guard crashes >= patience else {
            try entry.append(attempts: 0, crashes: 1, db)
            return .available
        }
        let delay = RetryPolicy(backoff: .exponential(base: .seconds(10), cap: .seconds(3_600)), jitter: 0)
            .delay(afterAttempt: crashes - patience + 1, random: 0)
        try entry.delay(until: now + delay, state: .retryable, attempts: 0, crashes: 1, db)
        return .retryable
    }
}
