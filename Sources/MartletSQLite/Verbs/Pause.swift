import GRDB
import MartletCore
import MartletStore

/// A queue that hands nothing out: its lanes say so, where the claim looks, and those it will have learn it when they are made.
enum Pause {
    /// - Returns: false: it was as wanted already.
    static func run(_ queue: String, _ isPaused: Bool, _ db: Database) throws -> Bool {
        try db.run(
            isPaused
                ? "insert into martlet_paused_queue (queue) values (?) on conflict do nothing"
                : "delete from martlet_paused_queue where queue = ?", .text(queue))
        guard db.changesCount > 0 else { return false }
        try db.run("update martlet_lane set paused = ? where queue = ?", .int(isPaused ? 1 : 0), .text(queue))
        return true
    }
}
