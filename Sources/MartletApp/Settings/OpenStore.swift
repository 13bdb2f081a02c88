import Glibc
import MartletCore
import MartletPostgres
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

    /// - Parameters:
    ///   - listening: where workers listen for hints, when not at the database's own address.
    ///   - remark: told what a person who runs this should know.
    ///   - created: told the path of a database that was not there before.
    static func open(
        _ url: DatabaseURL, _ access: Access, listening: PostgresAddress? = nil,
        remark: (@Sendable (String) -> Void)? = nil, created: ((String) throws -> Void)? = nil
    ) async throws -> any JobStore {
        try await openEither(url, access, listening: listening, remark: remark, created: created)
    }

    /// One job, by a program that does nothing else. On PostgreSQL in one request, and only where that enqueued nothing the long
    /// way, which says why or mends it.
    /// - Parameter created: told the path of a database that was not there before.
    static func enqueue(_ job: NewJob, _ url: DatabaseURL, created: @escaping (String) throws -> Void) async throws -> JobID
    {
        switch url.located {
        case .sqlite: break
        case .postgres(let address):
            do {
                if let id = try PostgresStore.enqueueAtOnce(job, options(address)) { return id }
            } catch {
                throw Failure(error)
            }
        }
        let store = try await open(url, .creating, created: created)
        do {
            let ids = try await store.enqueue([job])
            await store.close()
            return ids[0]
        } catch {
            await store.close()
            throw error
        }
    }

    /// To measure it.
    static func bench(_ url: DatabaseURL) async throws -> any BenchStore { try await openEither(url, .existing) }

    private static func openEither(
        _ url: DatabaseURL, _ access: Access, listening: PostgresAddress? = nil,
        remark: (@Sendable (String) -> Void)? = nil, created: ((String) throws -> Void)? = nil
    ) async throws -> any BenchStore {
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
        case .postgres(let address):
            var options = options(address)
            options.listenURL = listening?.url
            if let remark { options.remark = remark }
            do {
                return try await PostgresStore.open(options)
            } catch {
                throw Failure(error)
            }
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
        case .postgres(let address):
            do {
                return try await PostgresStore.migrationStatus(options(address))
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
        case .postgres(let address):
            do {
                return try await PostgresStore.migrate(options(address))
            } catch {
                throw Failure(error)
            }
        }
    }

    /// The SQL that `migrate` would run; empty when there is nothing to do.
    static func plan(_ url: DatabaseURL) async throws(Failure) -> String {
        switch url {
        case .sqlite:
            throw Failure(.usage, "an SQLite database is brought up to date by every command; a plan is for PostgreSQL")
        case .postgres(let address):
            do {
                return try await PostgresStore.plan(options(address))
            } catch {
                throw Failure(error)
            }
        }
    }

    /// - Returns: the names of the roles that are there now.
    static func createRoles(_ url: DatabaseURL) async throws(Failure) -> [String] {
        switch url {
        case .sqlite:
            throw Failure(.usage, "SQLite knows no roles, only the permissions of its file; roles are for PostgreSQL")
        case .postgres(let address):
            do {
                return try await PostgresStore.createRoles(options(address))
            } catch {
                throw Failure(error)
            }
        }
    }

    /// - Returns: what a rebase would do; nil for an engine that never needs one.
    static func rebasePreview(_ url: DatabaseURL) async throws(Failure) -> RebaseReply? {
        switch url.located {
        case .sqlite(let path):
            try requireFile(path)
            return nil
        case .postgres(let address):
            do {
                return try await PostgresStore.rebasePreview(options(address))
            } catch {
                throw Failure(error)
            }
        }
    }

    static func rebase(_ url: DatabaseURL) async throws(Failure) -> RebaseReply {
        switch url {
        case .sqlite:
            return RebaseReply(needed: false, available: 0, running: 0)
        case .postgres(let address):
            do {
                return try await PostgresStore.rebase(options(address))
            } catch {
                throw Failure(error)
            }
        }
    }

    /// Why no PostgreSQL can be reached from here; nil: it can.
    static func missingForPostgres() -> String? { PostgresOptions.missing() }

    /// A PostgreSQL URL without its password; nil when it cannot be read.
    static func shown(postgres url: String) -> String? { PostgresOptions.shown(url) }

    /// What is wrong with the parameters of a PostgreSQL URL that cannot be read; nil: it is something else.
    static func unknownParameter(postgres url: String) -> String? {
        let (unknown, others) = PostgresOptions.unknownParameters(url)
        guard let name = unknown.first else { return nil }
        let known = (others + [SchemaName.parameter]).sorted()
        let nearest = Suggestion.nearest(to: name, in: known).map { "did you mean \($0)? " } ?? ""
        return "the parameter \(name) is unknown; \(nearest)known are \(known.joined(separator: ", "))"
    }

    /// A person waits at the other end.
    private static let patience: Duration = .seconds(4)

    private static func options(_ address: PostgresAddress) -> PostgresOptions {
        var options = PostgresOptions(url: address.url)
        if let schema = address.schema { options.schema = schema }
        options.openWithin = patience
        return options
    }

    private static func requireFile(_ path: String) throws(Failure) {
        guard isMissing(path) else { return }
        throw Failure(
            .database,
            "no database at \(path); `martlet enqueue` creates it; --database, \(DatabaseURL.variable) or database in martlet.yaml names another"
        )
    }

    private static func isMissing(_ path: String) -> Bool {
        access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR)
    }
}
