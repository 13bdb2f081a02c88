import Foundation
import MartletPostgres
import Synchronization

/// A schema of its own for one test, on the server that tests share.
package final class PostgresSchema: Sendable {
    package let server: PostgresServer
    package let name: String
    private let offset = Mutex(Duration.zero)

    init(_ server: PostgresServer, _ prefix: String) {
        self.server = server
        name = "\(prefix) \(UUID().uuidString.prefix(8).lowercased())"
    }

    package var options: PostgresOptions {
        var options = PostgresOptions(url: server.url())
        options.schema = name
        return options
    }

    /// As SQL has it.
    package var quoted: String { Self.quoted(name) }

    package static func quoted(_ name: String) -> String { "\"\(name.replacing("\"", with: "\"\""))\"" }

    /// Sets the queue's clock forward: its one function that says what time it is is replaced.
    @Sendable package func advance(by duration: Duration) {
        let microseconds = offset.withLock { offset in
            offset += duration
            return Int64(offset / .microseconds(1))
        }
        do {
            try server.psql(
                """
                create or replace function \(quoted).clock() returns timestamptz language sql volatile as
                  $$ select pg_catalog.clock_timestamp() + interval '\(microseconds) microseconds' $$
                """)
        } catch {
            fatalError("the clock of \(name) cannot be set: \(error)")
        }
    }

    /// Runs SQL as somebody else would, with the schema on the path.
    @discardableResult
    package func psql(_ sql: String) throws -> String {
        try server.psql("set search_path = \(quoted), pg_temp;\n" + sql).trimmingCharacters(in: .whitespacesAndNewlines)
    }
}

/// How many tests use the server at once: each opens up to a dozen connections.
private let slots = Slots(8)

/// - Parameters:
///   - prefix: what its name begins with.
///   - migrate: false: it is not made.
package func withPostgresSchema(
    _ prefix: String = "test", migrate: Bool = true, _ body: (PostgresSchema) async throws -> Void
) async throws {
    await slots.take()
    defer { slots.release() }
    let schema = PostgresSchema(try PostgresServer.shared(), prefix)
    if migrate { _ = try await PostgresStore.migrate(schema.options) }
    do {
        try await body(schema)
    } catch {
        try schema.server.psql("drop schema if exists \(schema.quoted) cascade")
        throw error
    }
    try schema.server.psql("drop schema if exists \(schema.quoted) cascade")
}

/// A counting semaphore for tasks.
private final class Slots: Sendable {
    private struct State {
        var free: Int
        var waiting: [UnsafeContinuation<Void, Never>] = []
    }

    private let state: Mutex<State>

    init(_ count: Int) { state = Mutex(State(free: count)) }

    func take() async {
        await withUnsafeContinuation { continuation in
            let isFree = state.withLock { state in
                if state.free > 0 {
                    state.free -= 1
                    return true
                }
                state.waiting.append(continuation)
                return false
            }
            if isFree { continuation.resume() }
        }
    }

    func release() {
        let next = state.withLock { state -> UnsafeContinuation<Void, Never>? in
            guard !state.waiting.isEmpty else {
                state.free += 1
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.resume()
    }
}
