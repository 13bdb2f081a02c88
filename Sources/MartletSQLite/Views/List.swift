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
        let jobs = try page.map { try $0.summary(lanes, lastError: AttemptErrors.last($0.id, db), db) }
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

    /// Jobs of one of the two side tables: a look at each state, of each lane or failure where the filter names some. Every
    /// look goes down an index that ends in the id, and stops at a page.
    private static func table(
        _ name: String, _ columns: String, _ held: [JobState], _ states: Set<JobState>, _ lanes: [Int64: LaneKey],
        _ query: JobQuery, _ db: Database, read: (borrowing SQLStatement) -> JobRow
    ) throws -> [JobRow] {
        let filter = query.filter
        var found: [JobRow] = []
        for state in held where states.contains(state) {
            if let fingerprint = filter.fingerprint {
                guard state == .failed else { continue }
                for failure in try Failures.ids(fingerprint, db) {
                    found += try page("failure = ?1 and state = 'failed'", failure, state, name, columns, query, db, read)
                        .filter { lanes[$0.lane] != nil }
                }
            } else if filter.kind != nil || filter.queue != nil {
                for lane in lanes.keys {
                    found += try page("lane = ?1 and state = ?2", lane, state, name, columns, query, db, read)
                }
            } else {
                found += try page("state = ?2", 0, state, name, columns, query, db, read)
            }
        }
        return found
    }

    /// - Parameter key: a lane or a failure.
    private static func page(
        _ condition: String, _ key: Int64, _ state: JobState, _ table: String, _ columns: String, _ query: JobQuery,
        _ db: Database, _ read: (borrowing SQLStatement) -> JobRow
    ) throws -> [JobRow] {
        let statement = try db.prepared("select \(columns) from \(table) where \(condition) and id < ?3 order by id desc")
        defer { statement.reset() }
        statement.bind(1, .int(key))
        statement.bind(2, .text(state.rawValue))
        statement.bind(3, .int(query.after ?? .max))
        var rows: [JobRow] = []
        while try rows.count <= query.limit && statement.step() {
            let row = read(statement)
            // Ids are given at the enqueue, so all that follow are as old.
            if let since = query.filter.since, row.enqueuedAt < since { break }
            rows.append(row)
        }
        return rows
    }
}
