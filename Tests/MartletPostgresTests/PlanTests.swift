import MartletCore
import MartletPostgres
import MartletStore
import MartletTestSupport
import Testing

@Suite struct PlanTests {
    /// How many pages a claim reads. The first of a session also reads the catalogs, so the second counts.
    private func pages(_ schema: PostgresSchema, _ limit: Int = 10) throws -> Int {
        let claim = "select * from claim((select max(id) from worker), '{work}', '{\(limit)}', null, \(limit));"
        let plan = try schema.psql("\(claim) explain (analyze, buffers, timing off, summary off) \(claim)")
        let line = try #require(plan.split(separator: "\n").first { $0.contains("Buffers:") })
        let numbers = line.matches(of: #/(?:hit|read)=(\d+)/#).compactMap { Int($0.output.1) }
        return numbers.reduce(0, +)
    }

    private func fill(_ schema: PostgresSchema, _ count: Int) throws {
        try schema.psql(
            "select count(*) from (select enqueue_many('work', array_fill('{}'::text, array[10000])) "
                + "from generate_series(1, \(count / 10_000))) x")
    }

    @Test func `a claim reads the few pages it needs, with statistics missing, stale or right`() async throws {
        try await withStore { store, schema in
            let worker = try await store.register(.testing("w"))
            _ = try await store.enqueue()
            let late = try Session(schema)
            try late.run("begin; select enqueue_many('work', array_fill('{}'::text, array[100]));")
            try schema.psql("alter table job_1 set (autovacuum_enabled = off); analyze job; analyze lease;")
            try fill(schema, 1_000_000)
            _ = try await store.claimed(worker, limit: 1)
            let stale = try pages(schema)
            try schema.psql("analyze job; analyze lease;")
            let right = try pages(schema)
            try schema.psql(
                """
                delete from pg_statistic where starelid in (
                  select oid from pg_class where relnamespace = '\(schema.quoted)'::regnamespace);
                update pg_class set reltuples = -1, relpages = 0 where relnamespace = '\(schema.quoted)'::regnamespace;
                """)
            let missing = try pages(schema)
            // The log has more than ten thousand pages.
            #expect(stale < 1_000 && right < 1_000 && missing < 1_000, "\(stale) \(right) \(missing)")
            // What commits late is found by one probe, not by looking through everything.
            while try await store.claimed(worker, limit: 4_000).count == 4_000 {}
            try late.run("commit;")
            try fill(schema, 10_000)
            let probed = try pages(schema)
            #expect(probed < 1_000, "\(probed)")
            #expect(try await store.stats().counts[.available] == 10_100 - 20)
            try late.end()
        }
    }

    @Test func `the plan of a migration is what a person can run`() async throws {
        let server = try PostgresServer.shared()
        var options = PostgresOptions(url: server.url())
        options.schema = "it's \"planned\""
        let plan = try await PostgresStore.plan(options)
        #expect(try await PostgresStore.migrationStatus(options).current == 0)
        try server.psql(plan)
        #expect(try await PostgresStore.migrationStatus(options).pending == [])
        #expect(try await PostgresStore.plan(options) == "")
        let store = try await PostgresStore.open(options)
        #expect(try await store.enqueue(count: 2).count == 2)
        await store.close()
        try server.psql("drop schema \"it's \"\"planned\"\"\" cascade")
    }

    @Test func `two migrations at once leave one schema`() async throws {
        let server = try PostgresServer.shared()
        var options = PostgresOptions(url: server.url())
        options.schema = "raced"
        let once = options
        try await withThrowingTaskGroup(of: MigrationStatus.self) { group in
            for _ in 0..<4 { group.addTask { try await PostgresStore.migrate(once) } }
            for try await status in group { #expect(status.pending == []) }
        }
        try server.psql("drop schema raced cascade")
    }

    @Test func `a database without a queue says what to run`() async throws {
        var options = PostgresOptions(url: try PostgresServer.shared().url())
        options.schema = "nowhere"
        let wanting = options
        let error = try await #require(throws: StoreError.self) { _ = try await PostgresStore.open(wanting) }
        #expect(error.code == .incompatible)
        #expect(error.message.contains("martlet migrate up"))
    }
}
