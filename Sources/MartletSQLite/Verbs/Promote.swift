import GRDB
import MartletCore
import MartletStore

/// Moves what has come due from `martlet_delayed` to the end of the log.
enum Promote {
    static func nextDue(now: Timestamp, _ db: Database) throws -> Duration? {
        let due = try db.first("select min(run_at) from martlet_delayed") { $0.optionalInt(0) }
        return due.flatMap { $0 }.map { max(.zero, Timestamp(microseconds: $0) - now) }
    }

    static func run(limit: Int, now: Timestamp, _ db: Database) throws -> PromotionReply {
        let due = try db.rows(
            "select id, lane, state from martlet_delayed where run_at <= ? order by run_at, id limit ?",
            .int(now.microseconds), .int(limit)
        ) { (id: $0.int(0), lane: $0.int(1), state: $0.text(2)) }
        var tally = LaneTally()
        if !due.isEmpty {
            let first = try Positions.take(due.count, db)
            for (offset, job) in due.enumerated() {
                try Delayed.append(job.id, at: first + Int64(offset), runAt: nil, db)
                tally.move(from: Delayed.state(job.state), to: .available, lane: job.lane)
            }
        }
        try tally.write(now: now, db)
        return PromotionReply(moved: due.count, nextDue: try nextDue(now: now, db))
    }
}

/// The ways out of `martlet_delayed`.
enum Delayed {
    static func state(_ text: String) -> JobState { text == JobState.retryable.rawValue ? .retryable : .scheduled }

    /// - Parameter runAt: when it came due after all, and then an expiry that was over by then is dropped; nil keeps the time it was waiting for.
    static func append(_ id: Int64, at position: Int64, runAt: Timestamp?, _ db: Database) throws {
        try db.run(
            """
            insert into martlet_job
              (position, id, lane, enqueued_at, run_at, attempt, crashes, max_attempts, timeout_ms, expires_at, args)
            select ?2, id, lane, enqueued_at, coalesce(?3, run_at), attempt, crashes, max_attempts, timeout_ms,
              case when ?3 is null or expires_at > ?3 then expires_at end, args
            from martlet_delayed where id = ?1
            """, .int(id), .int(position), .optional(runAt?.microseconds))
        try db.run("delete from martlet_delayed where id = ?", .int(id))
    }

    static func cancel(_ id: Int64, now: Timestamp, _ db: Database) throws {
        try db.run(
            """
            insert into martlet_failed
              (id, lane, state, enqueued_at, run_at, finished_at, attempt, crashes, max_attempts, timeout_ms, expires_at,
               args)
            select id, lane, 'cancelled', enqueued_at, run_at, ?2, attempt, crashes, max_attempts, timeout_ms, expires_at,
              args
            from martlet_delayed where id = ?1
            """, .int(id), .int(now.microseconds))
        try db.run("delete from martlet_delayed where id = ?", .int(id))
    }
}
