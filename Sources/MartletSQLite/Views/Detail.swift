import GRDB
import MartletCore
import MartletStore

/// Everything that is known of one job.
enum Detail {
    static func run(_ id: JobID, now: Timestamp, _ db: Database) throws -> JobDetail? {
        guard let place = try Whereabouts.find(id, db), let row = try row(id, place, db) else { return nil }
        let errors = try AttemptErrors.all(id, db)
        return JobDetail(
            summary: try row.summary(try Lanes.all(db), lastError: errors.last, db), reason: row.reason, lease: row.lease,
            crashes: row.crashes, timeout: row.timeout, expiry: row.expiry(now: now), errors: errors,
            usage: try Attempts.usage(id, db),
            result: try db.first("select value from martlet_result where job = ?", .int(id.rawValue)) {
                JSONText(trusted: $0.bytes(0))
            })
    }

    private static func row(_ id: JobID, _ place: Whereabouts, _ db: Database) throws -> JobRow? {
        switch place {
        case .failed:
            return try db.first("select \(JobRow.failedColumns) from martlet_failed where id = ?", .int(id.rawValue)) {
                JobRow(failed: $0)
            }
        case .delayed:
            return try db.first("select \(JobRow.delayedColumns) from martlet_delayed where id = ?", .int(id.rawValue)) {
                JobRow(delayed: $0)
            }
        case .waiting(let entry):
            return try log(entry, db)
        case .leased(let entry, let lease, let index):
            return try log(entry, db)?.leased(lease, index: index, isRevoked: false)
        }
    }

    private static func log(_ entry: LogEntry, _ db: Database) throws -> JobRow? {
        try db.first("select \(JobRow.logColumns) from martlet_job where position = ?", .int(entry.position)) {
            JobRow(log: $0)
        }
    }
}
