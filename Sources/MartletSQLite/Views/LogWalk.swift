import GRDB
import MartletCore
import MartletStore

/// Walks one lane's part of the log backward, over those entries that are still their job's home.
///
/// Leases that hold nothing of interest are stepped over whole, so a listing stays quick however many entries were
/// superseded: by retries, by failures, by jobs given back.
struct LogWalk {
    private let lane: Int64
    private let wanted: Set<JobState>
    private let since: Int64
    private var before: Int64
    /// The beginning of the last lease that was looked into.
    private var below: Int64?
    private var buffer: [JobRow] = []
    private var isInLeases = false
    private var isOver = false

    private static let page = 100

    init(lane: Int64, wanted: Set<JobState>, since: Timestamp?, before: Int64) {
        self.lane = lane
        self.wanted = wanted
        self.since = since?.microseconds ?? .min
        self.before = before
    }

    /// The place in the log of the next entry.
    mutating func peek(_ db: Database) throws -> Int64? {
        while buffer.isEmpty && !isOver { try fill(db) }
        return buffer.last?.cursor
    }

    mutating func next() -> JobRow? { buffer.popLast() }

    /// Fills the buffer, the newest entry last.
    private mutating func fill(_ db: Database) throws {
        if !isInLeases && wanted.contains(.available) {
            let rows = try waiting(db)
            if !rows.isEmpty { return keep(rows) }
        }
        isInLeases = true
        guard !wanted.isDisjoint(with: [.running, .completed]), let chunk = try lease(db) else {
            isOver = true
            return
        }
        before = chunk.first
        keep(chunk.rows)
    }

    /// - Parameter rows: newest first.
    private mutating func keep(_ rows: [JobRow]) {
        buffer = rows.filter { $0.enqueuedAt.microseconds >= since && wanted.contains($0.state) }.reversed()
        if !isInLeases, let last = rows.last { before = last.cursor }
        // An entry of a job's first run is no older than all that lie before it.
        if let last = rows.last, last.cursor == last.id.rawValue, last.enqueuedAt.microseconds < since { isOver = true }
    }

    private func waiting(_ db: Database) throws -> [JobRow] {
        try db.rows(
            """
            select \(JobRow.logColumns) from martlet_job j
            where lane = ?1 and position < ?2 and position > coalesce((select max(upto) from martlet_lease where lane = ?1), 0)
              and not exists (select 1 from martlet_tombstone t where t.lane = ?1 and t.position = j.position)
            order by position desc limit ?3
            """, .int(lane), .int(before), .int(Self.page), read: { JobRow(log: $0) })
    }

    /// The next lease further down that holds something of interest, with those of its entries that do.
    private mutating func lease(_ db: Database) throws -> (first: Int64, rows: [JobRow])? {
        guard let id = try nextLease(db), let lease = try OpenLease(id, db, evenIfRevoked: true) else { return nil }
        below = lease.positions.first
        let entries = try db.rows(
            """
            select \(JobRow.logColumns) from martlet_job where lane = ?1 and position >= ?2 and position < ?3
              and position <= (select upto from martlet_lease where id = ?4)
            order by position desc
            """, .int(lane), .int(lease.positions.first), .int(before), .int(id.rawValue), read: { JobRow(log: $0) })
        let rows = entries.compactMap { entry in
            lease.positions.index(of: entry.cursor).flatMap {
                entry.leased(lease, index: $0, isRevoked: lease.isRevoked)
            }
        }
        return (lease.positions.first, rows)
    }

    /// Leases of a lane follow each other without overlap: the first that is wanted may reach beyond the place where the
    /// walk stands, all others end below the one before.
    private func nextLease(_ db: Database) throws -> LeaseID? {
        let read: (borrowing SQLStatement) -> LeaseID = { LeaseID(rawValue: $0.int(0)) }
        if below == nil, before != .max {
            let reaching = try db.first(
                """
                select id from (select id, first, open, completed from martlet_lease where lane = ? and upto >= ? order by upto
                  limit 1) where first < ? and (open > 0 or completed > 0)
                """, .int(lane), .int(before), .int(before), read: read)
            if let reaching { return reaching }
        }
        let index = wanted.contains(.completed) ? "martlet_lease_live" : "martlet_lease_running"
        let condition = wanted.contains(.completed) ? "(open > 0 or completed > 0)" : "open > 0"
        return try db.first(
            """
            select id from martlet_lease indexed by \(index) where lane = ? and upto < ? and \(condition)
            order by upto desc limit 1
            """, .int(lane), .int(below ?? before), read: read)
    }
}
