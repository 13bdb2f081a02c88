import GRDB
import MartletStore

/// The numbers of the log, which are also the ids of new jobs.
enum Positions {
    /// Takes the next `count` numbers of the log.
    /// - Returns: the first of them.
    static func take(_ count: Int, _ db: Database) throws -> Int64 {
        let last = try db.first(
            "update martlet_counter set position = position + ? returning position", .int(count), read: { $0.int(0) })
        guard let last else { throw StoreError.damaged("martlet_counter has no row") }
        return last - Int64(count) + 1
    }
}
