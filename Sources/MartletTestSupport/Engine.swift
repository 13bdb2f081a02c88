import Foundation
import GRDB
import MartletCore
import MartletPostgres
import MartletSQLite
import MartletStore

/// The engines that the conformance suite runs on: every behaviour on each of them.
package enum Engine: String, CaseIterable, Sendable {
    case sqlite
    case postgres
    /// PostgreSQL behind a PgBouncer that lends a session for one transaction.
    case pooled

    /// Whether what one process does wakes another at once.
    package var hintsAcrossProcesses: Bool {
        switch self {
        case .sqlite, .postgres: true
        case .pooled: false
        }
    }
}

/// A database of its own for one test, and the means to be somebody else to it.
package struct StoreFixture: Sendable {
    package let store: any JobStore
    /// A second opening of the same database, as another process would have.
    package let another: @Sendable () async throws -> any JobStore
    /// Lets time pass for the store, and for every other opening.
    package let advance: @Sendable (Duration) -> Void
    private let select: @Sendable (String) throws -> [Int64]

    fileprivate init(
        store: any JobStore, another: @escaping @Sendable () async throws -> any JobStore,
        advance: @escaping @Sendable (Duration) -> Void, select: @escaping @Sendable (String) throws -> [Int64]
    ) {
        self.store = store
        self.another = another
        self.advance = advance
        self.select = select
    }

    /// The first column of a table, by its name without a prefix: what no verb shows is looked up there.
    package func keys(in table: String) throws -> [Int64] { try select(table) }
}

/// Runs a test on a new database, and looks afterwards whether every job is where its state says.
package func withStore(_ engine: Engine, _ body: (StoreFixture) async throws -> Void) async throws {
    switch engine {
    case .sqlite:
        try await withTemporaryDirectory { directory in
            let clock = ManualStoreClock()
            let path = directory.appendingPathComponent("martlet.db").path
            let open: @Sendable () async throws -> any JobStore = {
                try await SQLiteStore.open(SQLiteOptions(path: path, busyTimeout: .seconds(60), clock: clock))
            }
            try await check(
                StoreFixture(store: try await open(), another: open, advance: clock.advance) { table in
                    let database = try DatabaseQueue(path: path)
                    let keys = try database.read { try Int64.fetchAll($0, sql: "select * from martlet_\(table) order by 1") }
                    try database.close()
                    return keys
                }, body)
        }
    case .postgres, .pooled:
        try await withPostgresSchema { schema in
            var options = schema.options
            if engine == .pooled { options.url = try PgBouncer.shared().url() }
            let chosen = options
            let open: @Sendable () async throws -> any JobStore = { try await PostgresStore.open(chosen) }
            try await check(
                StoreFixture(store: try await open(), another: open, advance: schema.advance) { table in
                    try schema.psql("select * from \(table) order by 1").split(separator: "\n").compactMap {
                        Int64($0.prefix { $0 != "|" })
                    }
                }, body)
        }
    }
}

private func check(_ fixture: StoreFixture, _ body: (StoreFixture) async throws -> Void) async throws {
    do {
        try await body(fixture)
        let problems = try await fixture.store.diagnose().filter { $0.level == .problem && $0.check != "disk" }
        guard problems.isEmpty else { throw AuditFailure(problems: problems.map(\.message)) }
    } catch {
        await fixture.store.close()
        throw error
    }
    await fixture.store.close()
}

package struct AuditFailure: Error, CustomStringConvertible {
    let problems: [String]

    package var description: String { "after the test: " + problems.joined(separator: "; ") }
}

package func withTemporaryDirectory<T>(
    in parent: URL = FileManager.default.temporaryDirectory, _ body: (URL) async throws -> T
) async throws -> T {
    let directory = parent.appendingPathComponent("martlet-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    do {
        let result = try await body(directory)
        try FileManager.default.removeItem(at: directory)
        return result
    } catch {
        try FileManager.default.removeItem(at: directory)
        throw error
    }
}
