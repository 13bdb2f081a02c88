import GRDB
import MartletCore
import MartletStore

/// The one place where a job lives, which is what says its state.
enum Whereabouts {
    case failed(JobState)
    case delayed(JobState)
    /// In the log, beyond the lane's cursor.
    case waiting(LogEntry)
    /// In the log and in a lease: running or completed.
    case leased(LogEntry, OpenLease, index: Int)

    var state: JobState {
        switch self {
        case .failed(let state), .delayed(let state): state
        case .waiting: .available
        case .leased(_, let lease, let index): lease.isOpen(index) ? .running : .completed
        }
    }

    /// nil: there is no such job, or its retention is over.
    static func find(_ id: JobID, _ db: Database) throws -> Whereabouts? {
        var lease: OpenLease?
        return try find(id, &lease, db)
    }

    /// - Parameter lease: the one that held the last job that was looked for, in the same transaction and with nothing settled
    ///   meanwhile. Jobs that are named one after the other are mostly neighbours, and a lease may hold thousands.
    static func find(_ id: JobID, _ lease: inout OpenLease?, _ db: Database) throws -> Whereabouts? {
        if let state = try db.first("select state from martlet_failed where id = ?", .int(id.rawValue), read: { $0.text(0) })
        {
            return .failed(JobState(rawValue: state) ?? .failed)
        }
        if let state = try db.first(
            "select state from martlet_delayed where id = ?", .int(id.rawValue), read: { $0.text(0) })
        {
            return .delayed(Delayed.state(state))
        }
        guard let entry = try newestEntry(of: id, db) else { return nil }
        let isNeighbour = lease.map { $0.lane == entry.lane && $0.positions.index(of: entry.position) != nil } ?? false
        if !isNeighbour { lease = try Self.lease(reaching: entry, db) }
        guard let lease else { return try isTombstoned(entry, db) ? nil : .waiting(entry) }
        // Entries stay when their job has moved on, and when it has been removed for good.
        guard let index = lease.positions.index(of: entry.position) else { return nil }
        switch lease.marks[index] {
        case .completed: return .leased(entry, lease, index: index)
        case .open: return lease.isRevoked ? nil : .leased(entry, lease, index: index)
        case .retryable, .snoozed, .crashed, .failed, .cancelled, .givenBack: return nil
        }
    }

    private static func isTombstoned(_ entry: LogEntry, _ db: Database) throws -> Bool {
        try db.first(
            "select 1 from martlet_tombstone where lane = ? and position = ?", .int(entry.lane), .int(entry.position)
        ) { _ in true } ?? false
    }

    /// A job's first entry stands under its own id, later ones under theirs.
    private static func newestEntry(of id: JobID, _ db: Database) throws -> LogEntry? {
        try db.first(
            "select position, lane from martlet_job where id = ? order by position desc limit 1", .int(id.rawValue),
            read: { LogEntry(position: $0.int(0), lane: $0.int(1)) })
            ?? db.first(
                "select position, lane from martlet_job where position = ? and id is null", .int(id.rawValue),
                read: { LogEntry(position: $0.int(0), lane: $0.int(1)) })
    }

    /// The chunks of a lane follow each other, so the one that may hold an entry is the first that reaches as far. What was
    /// done before a lease was revoked stays done.
    static func lease(reaching entry: LogEntry, _ db: Database) throws -> OpenLease? {
        let id = try db.first(
            "select id from martlet_lease where lane = ? and upto >= ? order by upto limit 1", .int(entry.lane),
            .int(entry.position), read: { LeaseID(rawValue: $0.int(0)) })
        return try id.flatMap { try OpenLease($0, db, evenIfRevoked: true) }
    }
}
