import MartletSQLite
import MartletStore

/// Where jobs are kept. The choice of an engine, and nothing else a program has to know of it.
public struct Database: Sendable {
    enum Engine: Sendable {
        case sqlite(SQLiteOptions)
    }

    let engine: Engine

    /// One file, made when it is missing. Several processes of one machine may use it at once; keep it on a local disk.
    public static func sqlite(_ path: String) -> Database {
        Database(engine: .sqlite(SQLiteOptions(path: path)))
    }

    func open() async throws(MartletError) -> any JobStore {
        do {
            switch engine {
            case .sqlite(let options): return try await SQLiteStore.open(options)
            }
        } catch {
            throw MartletError(error)
        }
    }
}
