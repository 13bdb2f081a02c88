import GRDB
import MartletCore
import MartletStore

/// Lists jobs, newest first: those of the log by their place in it, the others by their id, which was a place once.
enum List {
    static func run(_ query: JobQuery, _ db: Database) throws -> JobPage {
        let lanes = try Lanes.matching(query.filter, db)
        let before = query.after ?? .max
        let states = query.state.map { [$0] } ?? Set(JobState.allCases)
        var found = try log(states, lanes, query, before: before, db)
        found += try table("martlet_delayed", JobRow.delayedColumns, [.scheduled, .retryable], states, lanes, query, db) {
            JobRow(delayed: $0)
        }
        found += try table("martlet_failed", JobRow.failedColumns, [.failed, .cancelled], states, lanes, query, db) {
            JobRow(failed: $0)
        }
        found.sort { $0.cursor > $1.cursor }
        let page = found.prefix(query.limit)
        let jobs = try page.map { try $0.summary(lanes, lastError: AttemptErrors.last($0.id, db)) }
        return JobPage(jobs: jobs, next: found.count > query.limit ? page.last?.cursor : nil)
    }

    /// Merges the lanes' walks, so that only as much of each is read as the page needs.
    private static func log(
        _ states: Set<JobState>, _ lanes: [Int64: LaneKey], _ query: JobQuery, before: Int64, _ db: Database
    ) throws -> [JobRow] {
        let wanted = states.intersection([.available, .running, .completed])
        guard !wanted.isEmpty, query.filter.fingerprint == nil else { return [] }
        var walks = lanes.keys.sorted().map { LogWalk(lane: $0, wanted: wanted, since: query.filter.since, before: before) }
        var found: [JobRow] = []
        while found.count <= query.limit {
            var newest: (index: Int, cursor: Int64)?
            for index in walks.indices {
                guard let cursor = try walks[index].peek(db) else { continue }
                if newest.map({ cursor > $0.cursor }) ?? true { newest = (index, cursor) }
            }
            guard let newest, let row = walks[newest.index].next() else { break }
            found.append(row)
        }
        return found
    }

    /// Jobs of one of the two side tables.
    private static func table(
        _ name: String, _ columns: String, _ held: Set<JobState>, _ states: Set<JobState>, _ lanes: [Int64: LaneKey],
        _ query: JobQuery, _ db: Database, read: (borrowing SQLStatement) -> JobRow
    ) throws -> [JobRow] {
        let wanted = states.intersection(held)
        guard !wanted.isEmpty else { return [] }
        let isFailed = held.contains(.failed)
        if query.filter.fingerprint != nil && !isFailed { return [] }
        // One lane has an index of its own; for more, the id order with a filter finds a page soon.
        var conditions = ["id < ?1", "enqueued_at >= ?2", "(?3 is null or ?3 = state)"]
        if query.filter.kind != nil || query.filter.queue != nil {
            conditions.append("lane in (\(lanes.keys.sorted().map(String.init).joined(separator: ",")))")
        }
        if isFailed {
            conditions.append("(?4 is null or failure in (select id from martlet_failure where fingerprint = ?4))")
        } else {
            conditions.append("?4 is null")
        }
        return try db.rows(
            "select \(columns) from \(name) where \(conditions.joined(separator: " and ")) order by id desc limit ?5",
            .int(query.after ?? .max), .int(query.filter.since?.microseconds ?? .min),
            wanted.count == 1 ? .text(wanted.first!.rawValue) : .null, .optional(query.filter.fingerprint),
            .int(query.limit + 1), read: read)
    }
}
