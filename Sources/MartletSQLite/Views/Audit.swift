import GRDB
import MartletCore

/// Counts every job where it lives and holds that against the lanes' counters. Reads everything, so only for doctor and tests.
enum Audit {
    /// - Returns: a sentence for each lane and state that differs.
    static func run(_ db: Database) throws -> [String] {
        let lanes = try Lanes.all(db)
        var wrong: [String] = []
        for (lane, key) in lanes.sorted(by: { $0.key < $1.key }) {
            let counted = try count(lane, db)
            let kept = try counters(lane, db)
            for state in JobState.allCases where counted[state, default: 0] != kept[state, default: 0] {
                wrong.append(
                    "\(key.queue)/\(key.kind)/\(key.priority): \(counted[state, default: 0]) jobs are \(state.rawValue), "
                        + "the counter says \(kept[state, default: 0])")
            }
        }
        return wrong
    }

    private static func counters(_ lane: Int64, _ db: Database) throws -> [JobState: Int] {
        try db.first(
            """
            select scheduled, available, running, retryable, completed, failed, cancelled from martlet_lane where id = ?
            """, .int(lane)
        ) { row in
            [
                .scheduled: row.count(0), .available: row.count(1), .running: row.count(2), .retryable: row.count(3),
                .completed: row.count(4), .failed: row.count(5), .cancelled: row.count(6),
            ]
        } ?? [:]
    }

    private static func count(_ lane: Int64, _ db: Database) throws -> [JobState: Int] {
        var counts: [JobState: Int] = [:]
        let waiting = try db.first(
            """
            select (select count(*) from martlet_job where lane = ?1
                      and position > coalesce((select max(upto) from martlet_lease where lane = ?1), 0))
              - (select count(*) from martlet_tombstone where lane = ?1)
            """, .int(lane)
        ) { $0.count(0) }
        counts[.available] = waiting ?? 0
        for table in ["martlet_delayed", "martlet_failed"] {
            let rows = try db.rows("select state, count(*) from \(table) where lane = ? group by state", .int(lane)) {
                (JobState(rawValue: $0.text(0)), $0.count(1))
            }
            for case (let state?, let count) in rows { counts[state] = count }
        }
        let leases = try db.rows("select id from martlet_lease where lane = ? and count > 0", .int(lane)) {
            LeaseID(rawValue: $0.int(0))
        }
        for id in leases {
            guard let lease = try OpenLease(id, db, evenIfRevoked: true) else { continue }
            for index in 0..<lease.positions.count {
                switch lease.marks[index] {
                case .open: if !lease.isRevoked { counts[.running, default: 0] += 1 }
                case .completed: counts[.completed, default: 0] += 1
                case .retryable, .snoozed, .crashed, .failed, .cancelled, .givenBack: break
                }
            }
        }
        return counts
    }
}
