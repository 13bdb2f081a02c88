import MartletCore
import MartletPQ
import MartletStore

/// What `martlet bench` asks: `bench_surroundings` and `bench_remove` in `migrations/`.
struct Benches: Sendable {
    private let surroundings: Statement
    private let remove: Statement
    private let nothing = Statement("select 1")

    init(_ place: Place) {
        let schema = place.quoted
        surroundings = Statement(
            "select workers, available, running, bytes, benches, alive from \(schema).bench_surroundings()")
        remove = Statement("select \(schema).bench_remove($1, $2)")
    }

    func surroundings(_ database: Database) async throws(StoreError) -> BenchSurroundings {
        let rows = try await database.read(surroundings)
        func names(_ column: Int) -> Set<BenchName> {
            Set(rows.texts(0, column).compactMap { $0.flatMap { BenchName($0) } })
        }
        return BenchSurroundings(
            workers: Int(rows.int(0, 0)), available: Int(rows.int(0, 1)), running: Int(rows.int(0, 2)),
            bytes: Int(rows.int(0, 3)), benches: names(4), alive: names(5))
    }

    /// Those that decide when a commit is durable, and what it waits for.
    private static let settings = [
        "fsync", "synchronous_commit", "synchronous_standby_names", "full_page_writes", "wal_level", "wal_sync_method",
        "shared_buffers", "max_wal_size",
    ]

    func conditions(_ database: Database) async throws(StoreError) -> StoreConditions {
        let rows = try await database.read(
            .once(
                """
                select current_setting('server_version'), array(
                  select coalesce(current_setting(name, true), '') from unnest($1::text[]) with ordinality s(name, n) order by n)
                """), [.texts(Self.settings)])
        var settings = zip(Self.settings, rows.texts(0, 1)).compactMap { name, value in
            // Most servers have no standbys to wait for, and say so by nothing.
            value.flatMap { $0.isEmpty ? nil : StoreConditions.Setting(name, $0) }
        }
        if database.client.isPooled { settings.append(.init("pooler", "a session for one transaction")) }
        return StoreConditions(
            engine: "PostgreSQL \(rows.text(0, 0))", settings: settings, freed: "which new jobs use again after vacuum")
    }

    func roundTrip(_ database: Database) async throws(StoreError) -> Duration {
        let start = ContinuousClock.now
        _ = try await database.read(nothing)
        return .now - start
    }

    func remove(_ name: BenchName, limit: Int, _ database: Database) async throws(StoreError) -> Int {
        let rows = try await database.run(remove, [.text(name.description), .int4(Int32(clamping: limit))])
        return Int(rows.int(0, 0))
    }
}
