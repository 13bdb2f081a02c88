import MartletPQ
import MartletStore

/// The connections of one process, as the store uses them: every request is one transaction, and carried out even when the
/// task that asked is cancelled, because what was begun must be known to have ended.
struct Database: Sendable {
    let client: PQClient
    let place: Place
    /// How long a request waits while there is no connection; nil: as long as it may take.
    private var patience: Duration?

    /// Deadlocks and serialization failures undo everything, so the same again is right; each loser lets somebody win.
    private static let attempts = 5

    /// - Parameter isBrief: for a single request: nothing is kept in the session for another one, and so nobody asks whose it is.
    init(_ options: PostgresOptions, for purpose: Place.Purpose = .work, isBrief: Bool = false) throws(StoreError) {
        let place: Place
        do throws(PQError) {
            var settings = try PQOptions(options.url)
            settings.connections = 2
            settings.dedicated = [.heartbeat]
            settings.oldestServer = (130_000, "which knows 64-bit transaction ids")
            settings.within = options.within
            if isBrief { settings.pooler = .transaction }
            place = Place(shown: settings.conninfo.shown, schema: options.schema, purpose: purpose)
            client = PQClient(settings)
        } catch {
            throw StoreError(.unusable, error.message)
        }
        self.place = place
    }

    /// The same for callers that try again by themselves, and say meanwhile that the database is away.
    func waiting(atMost patience: Duration) -> Database {
        var database = self
        database.patience = patience
        return database
    }

    /// - Parameter state: a SQLSTATE that is an answer, too.
    /// - Returns: nil when the server raised that.
    func run(
        _ statement: Statement, _ parameters: [Value] = [], unless state: String, within: Duration?
    ) async throws(StoreError) -> Rows? {
        do throws(PQError) {
            return try await run([Step(statement, parameters)], within: within, again: Self.wasUndone)[0]
        } catch {
            guard error.sqlState == state else { throw StoreError(error, place) }
            return nil
        }
    }

    func run(_ statement: Statement, _ parameters: [Value] = [], within: Duration? = nil) async throws(StoreError) -> Rows {
        do throws(PQError) {
            return try await run([Step(statement, parameters)], within: within, again: Self.wasUndone)[0]
        } catch {
            throw StoreError(error, place)
        }
    }

    /// For what only reads, which is asked again also when the connection broke before the answer.
    func read(_ statement: Statement, _ parameters: [Value] = []) async throws(StoreError) -> Rows {
        try await read([Step(statement, parameters)])[0]
    }

    /// Several of them in one round trip.
    func read(_ steps: [Step]) async throws(StoreError) -> [Rows] {
        do throws(PQError) {
            return try await run(steps, within: nil) { $0.code == .unknownOutcome }
        } catch {
            throw StoreError(error, place)
        }
    }

    private static func wasUndone(_ error: PQError) -> Bool { error.sqlState?.hasPrefix("40") == true }

    private func run(_ steps: [Step], within: Duration?, again: (PQError) -> Bool) async throws(PQError) -> [Rows] {
        var attempt = 1
        while true {
            do throws(PQError) {
                return try await client.atomically(steps, within: within, patience: patience, untilDone: true)
            } catch {
                guard again(error), attempt < Self.attempts else { throw error }
                attempt += 1
            }
        }
    }

    /// - Returns: nil when the server raised the given SQLSTATE.
    @discardableResult
    func script(_ sql: String, unless state: String? = nil, within: Duration? = nil) async throws(StoreError) -> [Rows]? {
        do throws(PQError) {
            return try await shielded { [client] () throws(PQError) in try await client.script(sql, within: within) }
        } catch {
            if let state, error.sqlState == state { return nil }
            throw StoreError(error, place)
        }
    }

    /// For the thread of the heartbeat.
    func runBlocking(_ statement: Statement, _ parameters: [Value]) throws(StoreError) -> Rows {
        do throws(PQError) {
            return try client.runBlocking(statement, parameters, patience: patience, lane: .heartbeat)
        } catch {
            throw StoreError(error, place)
        }
    }

    /// What a schema that is not ours, or is not ours to use, answers; and what another try may cure.
    private static func isOfSchema(_ state: String) -> Bool {
        ["42P01", "42703", "42883", "42501", "3F000"].contains(state) || state.hasPrefix("40")
    }

    /// For a program that has nothing else to do.
    /// - Returns: nil when the server refused for what has to do with the schema; it had no effect then.
    func tryBlocking(_ statement: Statement, _ parameters: [Value]) throws(StoreError) -> Rows? {
        do throws(PQError) {
            return try client.runBlocking(statement, parameters, patience: patience)
        } catch {
            guard error.code == .server, let state = error.sqlState, Self.isOfSchema(state) else {
                throw StoreError(error, place)
            }
            return nil
        }
    }

    private func shielded<T: Sendable>(
        _ body: @escaping @Sendable () async throws(PQError) -> T
    ) async throws(PQError) -> T {
        let result = await Task { () -> Result<T, PQError> in
            do throws(PQError) { return .success(try await body()) } catch { return .failure(error) }
        }.value
        return try result.get()
    }
}
