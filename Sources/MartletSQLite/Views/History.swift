import GRDB
import MartletCore
import MartletStore

/// A job's life, from its entries in the log and the leases that held them.
enum History {
    private struct Entry {
        let log: LogEntry
        let attempt: Int
        let runAt: Timestamp?
    }

    static func run(_ id: JobID, _ db: Database) throws -> JobHistory {
        var reader = JobHistory.Reader()
        for entry in try entries(id, db) {
            let lease = try Whereabouts.lease(reaching: entry.log, db)
            reader.add(at: entry.runAt, run: try lease.flatMap { try stay(of: entry, in: $0, db) }, isKnown: lease == nil)
        }
        return reader.history
    }

    private static func entries(_ id: JobID, _ db: Database) throws -> [Entry] {
        try db.rows(
            """
            select position, lane, attempt, run_at from martlet_job where position = ?1 and id is null
            union all
            select * from (select position, lane, attempt, run_at from martlet_job where id = ?1 order by position desc limit ?2)
            order by position
            """, .int(id.rawValue), .int(JobHistory.entries)
        ) { row in
            Entry(
                log: LogEntry(position: row.int(0), lane: row.int(1)), attempt: row.count(2) + 1,
                runAt: row.optionalInt(3).map(Timestamp.init(microseconds:)))
        }
    }

    /// nil: the lease passed it over, because it had been cancelled, or is not the one that held it.
    private static func stay(of entry: Entry, in lease: OpenLease, _ db: Database) throws -> JobRun? {
        guard let index = lease.positions.index(of: entry.log.position) else { return nil }
        let mark = lease.marks[index]
        guard mark != .open else {
            let revokedAt = try db.first("select revoked_at from martlet_lease where id = ?", .int(lease.id.rawValue)) {
                $0.optionalInt(0)
            }
            return JobRun(
                attempt: entry.attempt, startedAt: lease.claimedAt,
                endedAt: revokedAt.flatMap { $0 }.map(Timestamp.init(microseconds:)), worker: lease.worker,
                outcome: lease.isRevoked ? .lost : .running)
        }
        let startedAt = lease.claimedAt + lease.marks.waited(index)
        return JobRun(
            attempt: entry.attempt, startedAt: startedAt, endedAt: startedAt + lease.marks.ran(index), worker: lease.worker,
            outcome: outcome(mark))
    }

    private static func outcome(_ mark: LeaseMarks.Mark) -> JobRun.Outcome {
        switch mark {
        case .open: .running
        case .completed: .completed
        case .retryable: .retryable
        case .snoozed: .snoozed
        case .failed: .failed
        case .cancelled: .cancelled
        case .givenBack: .givenBack
        case .crashed: .crashed
        }
    }
}
