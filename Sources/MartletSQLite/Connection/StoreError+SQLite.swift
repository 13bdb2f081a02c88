import GRDB
import MartletCore
import MartletStore

extension StoreError {
    static func turnNeverCame(_ files: DatabaseFiles, _ limit: Duration) -> StoreError {
        StoreError(
            .unavailable,
            "another process has been writing to \(files.shown) for \(limit.text); if it hangs, find it with: fuser \(files.lock)"
        )
    }

    static func damaged(_ what: String) -> StoreError {
        StoreError(.unusable, "the queue's tables were changed by hand or damaged: \(what); run martlet doctor")
    }

    /// What SQLite said, in words that say what to do.
    init(_ error: any Error, path: String) {
        switch error {
        case let error as StoreError:
            self = error
        case let error as DatabaseError:
            self.init(error, path: path)
        case is CancellationError:
            self.init(.unavailable, "\(path): the call was cancelled")
        default:
            self.init(.internal, "\(path): \(error)")
        }
    }

    private init(_ error: DatabaseError, path: String) {
        let said = "SQLite says \(error.message.map { "\"\($0)\"" } ?? "error") (\(error.extendedResultCode.rawValue))"
        switch error.resultCode {
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            self.init(
                .unavailable,
                "\(path) is being written by another program that does not take turns with Martlet, a long transaction perhaps; \(said)"
            )
        case .SQLITE_FULL:
            self.init(.full, "no space left for \(path); nothing was written: free some space and try again; \(said)")
        case .SQLITE_PROTOCOL, .SQLITE_NOMEM, .SQLITE_INTERRUPT:
            self.init(.unavailable, "\(path) cannot be used at the moment: \(said)")
        case .SQLITE_IOERR:
            self.init(.unavailable, "\(path) cannot be read or written: \(said); look at the disk and its limits")
        case .SQLITE_NOTADB:
            self.init(.unusable, "\(path) is not a SQLite database")
        case .SQLITE_CORRUPT:
            self.init(
                .unusable,
                "\(path) is damaged: \(said); restore a backup, or save what is left with: sqlite3 \(path) .recover")
        case .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_AUTH:
            self.init(.unusable, "\(path) is read-only: \(said); look at the permissions of the file and its directory")
        case .SQLITE_CANTOPEN:
            // Also when the process is out of descriptors, which passes.
            self.init(
                .unavailable, "\(path) cannot be opened: \(said); look at its permissions, and at the limit of open files")
        default:
            self.init(.internal, "\(path): \(said)")
        }
    }
}
