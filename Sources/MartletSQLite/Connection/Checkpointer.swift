import GRDB
import GRDBSQLite

/// Moves the write-ahead log back into the database now and then. Always on the writer thread, under the write lock.
final class Checkpointer: @unchecked Sendable {
    // Sendable: used by the writer thread alone; SQLite's hook runs on it too, inside a commit.
    private var pages = 0
    private var pagesAtLast = 0
    private var commitsSinceLast = 0
    private let busyTimeout: String

    /// 16 MiB: small enough to stay in the page cache and be cheap to move, large enough to be rare.
    private static let step = 4_000
    /// 64 MiB: beyond this the file is cut short as soon as no reader needs it.
    private static let cut = 16_000

    init(busyTimeoutMilliseconds: Int64) { busyTimeout = "pragma busy_timeout = \(busyTimeoutMilliseconds)" }

    /// Has SQLite say after each commit how long the log is. Replaces SQLite's own automatic checkpoints.
    func attach(to db: Database) {
        let hook: @convention(c) (UnsafeMutableRawPointer?, OpaquePointer?, UnsafePointer<CChar>?, Int32) -> Int32 = {
            context, _, _, pages in
            // The writer that owns the connection owns this object too, and closes the connection first.
            Unmanaged<Checkpointer>.fromOpaque(context!).takeUnretainedValue().pages = Int(pages)
            return SQLITE_OK
        }
        sqlite3_wal_hook(db.sqliteConnection, hook, Unmanaged.passUnretained(self).toOpaque())
    }

    func afterCommit(_ db: Database) {
        commitsSinceLast += 1
        if pages < pagesAtLast { pagesAtLast = 0 }
        let isDue = pages - pagesAtLast >= Self.step || (pages > Self.cut && commitsSinceLast >= 100)
        guard isDue else { return }
        commitsSinceLast = 0
        pagesAtLast = pages
        do {
            // A checkpoint never waits for a reader: what it cannot move now it moves later.
            try db.run("pragma busy_timeout = 0")
            try db.run(pages > Self.cut ? "pragma wal_checkpoint(truncate)" : "pragma wal_checkpoint(passive)")
        } catch {
            // The commit is done and safe; the log stays as long as it is, and the next round tries again.
        }
        do { try db.run(busyTimeout) } catch { assertionFailure("\(error)") }
    }
}
