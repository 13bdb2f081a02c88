import GRDB
import MartletCore

/// How many jobs a call moves between states, gathered per lane and written once at its end.
///
/// SQLite rewrites a row in place, so these counters cost one small update per call and lane, and make `stats` and
/// `queues list` independent of how many jobs there are.
struct LaneTally {
    private struct Change {
        var scheduled = 0
        var available = 0
        var running = 0
        var retryable = 0
        var completed = 0
        var failed = 0
        var cancelled = 0

        /// Not by key paths: each is made anew, which took longer than the rest of a settlement.
        mutating func add(_ count: Int, to state: JobState) {
            switch state {
            case .scheduled: scheduled += count
            case .available: available += count
            case .running: running += count
            case .retryable: retryable += count
            case .completed: completed += count
            case .failed: failed += count
            case .cancelled: cancelled += count
            }
        }
    }

    private var changes: [Int64: Change] = [:]

    mutating func add(_ count: Int, to state: JobState, lane: Int64) {
        guard count != 0 else { return }
        changes[lane, default: Change()].add(count, to: state)
    }

    mutating func move(_ count: Int = 1, from old: JobState, to new: JobState, lane: Int64) {
        add(-count, to: old, lane: lane)
        add(count, to: new, lane: lane)
    }

    /// - Parameter now: since when a lane waits that had nothing available before.
    func write(now: Timestamp, _ db: Database) throws {
        for (lane, change) in changes {
            try db.run(
                """
                update martlet_lane set since = case when available <= 0 and ?3 > 0 then ?9 else since end,
                  scheduled = scheduled + ?2, available = available + ?3, running = running + ?4,
                  retryable = retryable + ?5, completed = completed + ?6, failed = failed + ?7, cancelled = cancelled + ?8
                where id = ?1
                """,
                .int(lane), .int(change.scheduled), .int(change.available), .int(change.running), .int(change.retryable),
                .int(change.completed), .int(change.failed), .int(change.cancelled), .int(now.microseconds))
        }
    }
}
