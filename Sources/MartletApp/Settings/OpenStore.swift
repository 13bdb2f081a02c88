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

    static func open(_ url: DatabaseURL, _ access: Access) async throws(Failure) -> any JobStore {
        switch url {
        case .sqlite(let path):
            if access == .existing { try requireFile(path) }
            do {
                return try await SQLiteStore.open(SQLiteOptions(path: path, create: access == .creating))
            } catch {
                throw Failure(error)
            }
        }
    }

    static func migrationStatus(_ url: DatabaseURL) async throws(Failure) -> MigrationStatus {
        switch url {
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
        switch url {
        case .sqlite(let path):
            do {
                return try await SQLiteStore.migrate(path: path)
            } catch {
                throw Failure(error)
            }
        }
    }

    private static func requireFile(_ path: String) throws(Failure) {
        guard access(path, F_OK) != 0, errno == ENOENT || errno == ENOTDIR else { return }
        throw Failure(
            .database,
            "no database at \(path); `martlet enqueue` creates it, --database or \(DatabaseURL.variable) names another")
    }
}
