import Logging
import MartletPostgres
import MartletSQLite
import MartletStore

/// Where jobs are kept. The choice of an engine, and nothing else a program has to know of it.
public struct Database: Sendable {
    enum Engine: Sendable {
        case sqlite(SQLiteOptions)
        case postgres(PostgresOptions)
    }

    let engine: Engine

    /// One file, made when it is missing. Several processes of one machine may use it at once; keep it on a local disk.
    public static func sqlite(_ path: String) -> Database {
        Database(engine: .sqlite(SQLiteOptions(path: path)))
    }

    /// A schema of a PostgreSQL database, made by `martlet migrate up`. The URL is libpq's, as are `PGSERVICE`,
    /// `PGPASSFILE` and the others of its variables.
    ///
    /// Behind a pooler that lends sessions for one transaction (PgBouncer) everything works too, and workers find the jobs of
    /// other processes by polling.
    /// - Parameter listenURL: the server's own address, where `url` names such a pooler: workers hear of new jobs at once.
    public static func postgres(_ url: String, schema: String = "martlet", listenURL: String? = nil) -> Database {
        var options = PostgresOptions(url: url)
        options.schema = schema
        options.listenURL = listenURL
        options.remark = { text in Logger(label: "martlet").notice("\(text)") }
        return Database(engine: .postgres(options))
    }

    func open() async throws(MartletError) -> any JobStore {
        do {
            switch engine {
            case .sqlite(let options): return try await SQLiteStore.open(options)
            case .postgres(let options): return try await PostgresStore.open(options)
            }
        } catch {
            throw MartletError(error)
        }
    }
}
