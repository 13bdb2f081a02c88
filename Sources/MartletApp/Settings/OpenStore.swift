import Glibc
import MartletCore
import MartletSQLite
import MartletStore

/// The one place that knows which engine is in use.
enum OpenStore {
    enum Access {
        /// Commands that look or repair: without a database there is nothing to look at.
        case existing
        /// Commands that bring work or wait for it.
        case creating
    }

    /// - Parameter created: told the path of a database that was not there before.
    static func open(
        _ url: DatabaseURL, _ access: Access, created: ((String) throws -> Void)? = nil
    ) async throws -> any JobStore {
        switch url.located {
        case .sqlite(let path):
            if access == .existing { try requireFile(path) }
            let isNew = isMissing(path)
            let store: SQLiteStore
            do {
                store = try await SQLiteStore.open(SQLiteOptions(path: path, create: access == .creating))
            } catch {
                throw Failure(error)
            }
            if isNew { try created?(path) }
            return store
        }
    }

    static func migrationStatus(_ url: DatabaseURL) async throws(Failure) -> MigrationStatus {
        switch url.located {
        case .sqlite(let path):
            try requireFile(path)
            do {
                return try await SQLiteStore.migrationStatus(path: path)
            } catch {
                throw Failure(error)
            }
        }
    }

    static func migrate(_ url: DatabaseURL) async throws(Failure) -> MigrationStatus {
        switch url.located {
        case .sqlite(let path):
            do {
                return try await SQLiteStore.migrate(path: path)
            } catch {
                throw Failure(error)
            }
        }
    }

    private static func requireFile(_ path: String) throws(Failure) {
        guard isMissing(path) else { return }
        throw Failure(
            .database,
            "no database at \(path); `martlet enqueue` creates it, --database or \(DatabaseURL.variable) names another")
    }

    private static func isMissing(_ path: String) -> Bool {
        access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR)
    }
}
