import GRDB
import MartletCore
import MartletStore

/// One entry of the log, and the places a job can go from it. The entry itself stays as it is.
struct LogEntry {
    let position: Int64
    let lane: Int64

    /// What is known of a run that ended for good.
    struct History {
        let startedAt: Timestamp?
        let worker: String?
    }

    func job(_ db: Database) throws -> Int64 {
        let id = try db.first("select coalesce(id, position) from martlet_job where position = ?", .int(position)) {
            $0.int(0)
        }
        guard let id else { throw StoreError.damaged("entry \(position) of the log is missing") }
        return id
    }

    /// Back to the end of the log.
    func append(attempts: Int, crashes: Int = 0, _ db: Database) throws {
        try db.run(
            """
            insert into martlet_job
              (position, id, lane, enqueued_at, run_at, attempt, crashes, max_attempts, timeout_ms,
               expires_at, args)
            select ?2, coalesce(id, position), lane, enqueued_at, run_at, attempt + ?3, crashes + ?4, max_attempts,
              timeout_ms, expires_at, args
            from martlet_job where position = ?1
            """,
            .int(position), .int(try Positions.take(1, db)), .int(attempts), .int(crashes))
        try expectOne(db)
    }

    func delay(until time: Timestamp, state: JobState, attempts: Int, crashes: Int = 0, _ db: Database) throws {
        try db.run(
            """
            insert into martlet_delayed
              (id, lane, state, run_at, enqueued_at, attempt, crashes, max_attempts, timeout_ms, expires_at, args)
            select coalesce(id, position), lane, ?2, ?3, enqueued_at, attempt + ?4, crashes + ?5, max_attempts, timeout_ms,
              expires_at, args
            from martlet_job where position = ?1
            """,
            .int(position), .text(state.rawValue), .int(time.microseconds), .int(attempts), .int(crashes))
        try expectOne(db)
    }

    func end(
        _ state: JobState, reason: FailureReason? = nil, failure: Int64? = nil, attempts: Int, crashes: Int = 0,
        _ history: History, now: Timestamp, _ db: Database
    ) throws {
        try db.run(
            """
            insert into martlet_failed
              (id, lane, state, reason, failure, enqueued_at, run_at, started_at, finished_at, worker, attempt, crashes,
               max_attempts, timeout_ms, expires_at, args)
            select coalesce(id, position), lane, ?2, ?3, ?4, enqueued_at, run_at, ?5, ?6, ?7, attempt + ?8, crashes + ?9,
              max_attempts, timeout_ms, expires_at, args
            from martlet_job where position = ?1
            """,
            .int(position), .text(state.rawValue), .optional(reason?.rawValue), .optional(failure),
            .optional(history.startedAt?.microseconds), .int(now.microseconds), .optional(history.worker), .int(attempts),
            .int(crashes))
        try expectOne(db)
    }

    private func expectOne(_ db: Database) throws {
        guard db.changesCount == 1 else { throw StoreError.damaged("entry \(position) of the log is missing") }
    }
}
