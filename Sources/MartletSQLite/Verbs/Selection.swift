import GRDB
import MartletCore
import MartletStore

/// Finds the jobs that a bulk repair is meant for.
enum Selection {
    static func ids(_ repair: Repair, _ states: Set<JobState>, _ filter: JobFilter, limit: Int, _ db: Database) throws
        -> [JobID]
    {
        let lanes = try Lanes.matching(filter, db)
        var found: [JobID] = []
        for state in JobState.allCases where states.contains(state) && repair.states.contains(state) {
            for lane in lanes.keys.sorted() where found.count < limit {
                found += try ids(state, lane: lane, filter, limit: limit - found.count, db)
            }
        }
        return found
    }

    private static func ids(
        _ state: JobState, lane: Int64, _ filter: JobFilter, limit: Int, _ db: Database
    ) throws -> [JobID] {
        let values: [SQLValue] = [
            .int(lane), .int(filter.since?.microseconds ?? .min), .optional(filter.fingerprint), .int(limit),
            .text(state.rawValue),
        ]
        let read: (borrowing SQLStatement) throws -> JobID = { JobID(rawValue: $0.int(0)) }
        switch state {
        case .failed, .cancelled:
            return try db.rows(
                """
                select f.id from martlet_failed f left join martlet_failure g on g.id = f.failure
                where f.lane = ?1 and f.enqueued_at >= ?2 and (?3 is null or g.fingerprint = ?3) and f.state = ?5 limit ?4
                """, values, read: read)
        case .scheduled, .retryable:
            return try db.rows(
                "select id from martlet_delayed where lane = ?1 and enqueued_at >= ?2 and ?3 is null and state = ?5 limit ?4",
                values, read: read)
        case .available:
            return try db.rows(
                """
                select coalesce(id, position) from martlet_job j
                where lane = ?1 and enqueued_at >= ?2 and ?3 is null and ?5 is not null
                  and position > coalesce((select max(upto) from martlet_lease where lane = ?1), 0)
                  and not exists (select 1 from martlet_tombstone t where t.lane = ?1 and t.position = j.position)
                order by position limit ?4
                """, values, read: read)
        case .running:
            return try running(lane: lane, filter, limit: limit, db)
        case .completed:
            return []
        }
    }

    /// Those that have not been asked to stop yet.
    private static func running(lane: Int64, _ filter: JobFilter, limit: Int, _ db: Database) throws -> [JobID] {
        guard filter.fingerprint == nil else { return [] }
        var found: [JobID] = []
        let leases = try db.rows(
            "select id from martlet_lease indexed by martlet_lease_running where lane = ? and open > 0 order by upto",
            .int(lane)
        ) {
            LeaseID(rawValue: $0.int(0))
        }
        for id in leases {
            guard let lease = try OpenLease(id, db) else { continue }
            let asked = try CancelRequests.of(id, db)
            for index in 0..<lease.positions.count where lease.isOpen(index) && !asked.contains(index) {
                let job = try db.first(
                    "select coalesce(id, position) from martlet_job where position = ? and enqueued_at >= ?",
                    .int(lease.positions[index]), .int(filter.since?.microseconds ?? .min),
                    read: { JobID(rawValue: $0.int(0)) })
                if let job { found.append(job) }
                if found.count == limit { return found }
            }
        }
        return found
    }
}
