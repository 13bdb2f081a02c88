import GRDB
import MartletCore
import MartletStore

/// Removes what ended long enough ago. Completed jobs go with their lease, a range of the log at a time; the newest lease
/// of a lane stays as its cursor, emptied.
enum Retain {
    static func isDue(_ policy: RetentionPolicy, now: Timestamp, _ db: Database) throws -> Bool {
        let now = wholeSecond(now)
        return try db.first(
            "select exists (\(oldLeases)) or exists (select 1 from martlet_failed where finished_at < ?3)",
            .int((now - policy.completed).microseconds), .int(1), .int((now - policy.failed).microseconds)
        ) { $0.int(0) != 0 } ?? false
    }

    private static let oldLeases = """
        select l.id, l.lane, l.first, l.upto, l.completed,
          l.upto = (select max(n.upto) from martlet_lease n where n.lane = l.lane)
        from martlet_lease l indexed by martlet_lease_ended
        where l.finished_at is not null and l.finished_at < ?1 and l.upto >= l.first order by l.finished_at limit ?2
        """

    /// So that there is an end to it where jobs end all the time.
    private static func wholeSecond(_ time: Timestamp) -> Timestamp {
        Timestamp(microseconds: time.microseconds - time.microseconds % 1_000_000)
    }

    static func run(_ policy: RetentionPolicy, limit: Int, now: Timestamp, _ db: Database) throws -> Int {
        let now = wholeSecond(now)
        var tally = LaneTally()
        var removed = try leases(finishedBefore: now - policy.completed, limit: limit, &tally, db)
        if removed < limit {
            removed += try failed(finishedBefore: now - policy.failed, limit: limit - removed, &tally, db)
        }
        try tally.write(now: now, db)
        // A worker is kept as long as a lease may show its name.
        try db.run(
            "delete from martlet_worker where ended_at < ?", .int((now - policy.completed - .seconds(86_400)).microseconds))
        return removed
    }

    private static func leases(
        finishedBefore time: Timestamp, limit: Int, _ tally: inout LaneTally, _ db: Database
    ) throws -> Int {
        let old = try db.rows(
            oldLeases, .int(time.microseconds), .int(max(1, min(limit, 100)))
        ) {
            (
                id: $0.int(0), lane: $0.int(1), first: $0.int(2), upto: $0.int(3), completed: $0.count(4),
                isCursor: $0.int(5) != 0
            )
        }
        var removed = 0
        for lease in old where removed < limit {
            if lease.completed > 0 { try forgetCompleted(LeaseID(rawValue: lease.id), db) }
            try db.run(
                "delete from martlet_job where lane = ? and position between ? and ?", .int(lease.lane), .int(lease.first),
                .int(lease.upto))
            if lease.isCursor {
                try db.run(
                    """
                    update martlet_lease set first = upto + 1, count = 0, positions = null, completed = 0, endings = null,
                      times = null
                    where id = ?
                    """, .int(lease.id))
            } else {
                try db.run("delete from martlet_lease where id = ?", .int(lease.id))
            }
            tally.add(-lease.completed, to: .completed, lane: lease.lane)
            removed += max(1, lease.completed)
        }
        return removed
    }

    /// Errors of earlier attempts and results go with the job; those of jobs that live on elsewhere stay.
    static func forgetCompleted(_ id: LeaseID, _ db: Database) throws {
        let isBare = try db.first(
            """
            select not exists (select 1 from martlet_result) and not exists (select 1 from martlet_attempt_error)
              and not exists (select 1 from martlet_usage)
            """
        ) { $0.int(0) != 0 }
        if isBare == true { return }
        guard let lease = try OpenLease(id, db, evenIfRevoked: true) else { return }
        for index in 0..<lease.positions.count where lease.marks[index] == .completed {
            let job = try LogEntry(position: lease.positions[index], lane: lease.lane).job(db)
            try db.run("delete from martlet_result where job = ?", .int(job))
            try Attempts.remove(of: JobID(rawValue: job), db)
        }
    }

    private static func failed(
        finishedBefore time: Timestamp, limit: Int, _ tally: inout LaneTally, _ db: Database
    ) throws -> Int {
        let old = try db.rows(
            "select id, lane, state from martlet_failed where finished_at < ? order by finished_at limit ?",
            .int(time.microseconds), .int(limit)
        ) { (id: JobID(rawValue: $0.int(0)), lane: $0.int(1), state: JobState(rawValue: $0.text(2)) ?? .failed) }
        for job in old {
            try Repairs.removeFailed(job.id, db)
            try Attempts.remove(of: job.id, db)
            tally.add(-1, to: job.state, lane: job.lane)
        }
        return old.count
    }
}
