import MartletCore
import MartletPostgres
import MartletStore
import MartletTestSupport
import Testing

@Suite struct PlanTests {
    private static let claim = "select * from claim((select max(id) from worker), '{work}', '{10}', null, 10)"

    private func fill(_ schema: PostgresSchema, _ count: Int, maxAttempts: Int? = nil) throws {
        let own = maxAttempts.map { ", max_attempts => \($0)" } ?? ""
        try schema.psql(
            "select count(*) from (select enqueue_many('work', array_fill('{}'::text, array[10000])\(own)) "
                + "from generate_series(1, \(count / 10_000))) x")
    }

    /// As they are, which is stale; then right; then none at all.
    private func withEachStatistics(_ schema: PostgresSchema, _ body: (String) throws -> Void) throws {
        try body("stale")
        try schema.psql("analyze job; analyze lease; analyze delayed; analyze run; analyze failed;")
        try body("right")
        try schema.psql(
            """
            delete from pg_statistic where starelid in (
              select oid from pg_class where relnamespace = '\(schema.quoted)'::regnamespace);
            update pg_class set reltuples = -1, relpages = 0 where relnamespace = '\(schema.quoted)'::regnamespace;
            """)
        try body("missing")
    }

    @Test func `a claim reads the few pages it needs, with statistics missing, stale or right`() async throws {
        try await withStore { store, schema in
            let worker = try await store.register(.testing("w"))
            _ = try await store.enqueue()
            let late = try Session(schema)
            try late.run("begin; select enqueue_many('work', array_fill('{}'::text, array[100]));")
            try schema.psql("alter table job_1 set (autovacuum_enabled = off); analyze job; analyze lease;")
            // What they say of their own is looked up besides.
            try fill(schema, 1_000_000, maxAttempts: 3)
            _ = try await store.claimed(worker, limit: 1)
            // The log has more than ten thousand pages.
            try withEachStatistics(schema) { statistics in
                let read = try schema.pages(Self.claim)
                #expect(read < 1_000, "\(statistics)")
            }
            // What commits late is found by one probe, not by looking through everything.
            while try await store.claimed(worker, limit: 4_000).count == 4_000 {}
            try late.run("commit;")
            try fill(schema, 10_000)
            let probed = try schema.pages(Self.claim)
            #expect(probed < 1_000, "\(probed)")
            #expect(try await store.stats().counts[.available] == 10_100 - 40)
            try late.end()
        }
    }

    @Test func `a claim of many lanes reads the few pages it needs, however much waits in one of them`() async throws {
        try await withStore { store, schema in
            _ = try await store.register(.testing("w"))
            try fill(schema, 10_000)
            try schema.psql("alter table job_1 set (autovacuum_enabled = off); analyze job; analyze lease;")
            try fill(schema, 1_000_000)
            // The first lane is claimed alone, those that follow it together.
            let urgent = (0..<3).map { "select enqueue('work', queue => 'urgent-\($0)', priority => \($0));" }.joined()
            let late = "select enqueue('work', queue => 'late');"
            try withEachStatistics(schema) { statistics in
                let read = try schema.pages(
                    "select * from claim((select max(id) from worker), '{work}', '{100}', null, 100)",
                    before: urgent + late)
                #expect(read < 1_000, "\(statistics)")
            }
            let queues = try schema.psql(
                "select string_agg(distinct la.queue, ' ' order by la.queue) from lease l join lane la on la.id = l.lane "
                    + "where l.count > 0")
            #expect(queues == "default urgent-0 urgent-1 urgent-2")
        }
    }

    @Test func `all that is done again and again reads the few pages it needs, whatever the statistics`() async throws {
        try await withStore { store, schema in
            for table in ["job_1", "lease", "delayed", "failed"] {
                try schema.psql("alter table \(table) set (autovacuum_enabled = off); analyze \(table);")
            }
            let worker = try await store.register(.testing("w"))
            let first = try await store.enqueue(count: 10)
            let done = try await store.claim(.testing(worker, limit: 5))[0]
            _ = try await store.settle(done.jobs.indices.map { .testing(done.id, $0, .completed(result: nil)) })
            _ = try await store.claim(.testing(worker, limit: 5))
            try fill(schema, 1_000_000)
            try schema.psql(
                """
                insert into delayed (id, lane, state, run_at, enqueued_at, args)
                  select nextval('position'), 1, 'scheduled', clock() + (n - 100) * interval '1 second', clock(), '{}'
                  from generate_series(1, 300000) n;
                insert into failed (id, lane, state, enqueued_at, finished_at, attempt, crashes, args)
                  select nextval('position'), 1, 'failed', clock(), clock() - interval '1 day', 1, 0, '{}'
                  from generate_series(1, 300000) n;
                insert into lease (id, xid, position, claimed, worker, claimed_at, finished_at, lane, count, open, completed, s1, s2)
                  select n, '3', 0, n, 1, clock(), clock() + interval '1 day', 9, 1, 0, 1, '3:3:', '3:3:'
                  from generate_series(1, 300000) n;
                """)
            schema.advance(by: .seconds(120))
            let calls = [
                "select * from promote(10)", "select * from recover()", "select * from heartbeat(1)",
                "select report_progress('{1,2}', '{0,0}', '{1,1}', '{a,b}')", "select * from find(\(first[0].rawValue))",
                "select * from find(500000)", "select * from list_jobs('available', null, null, null, null, 500000, 50)",
                "select * from list_jobs('running', null, null, null, null, 9000000000, 50)",
                "select * from list_jobs('completed', 'work', null, null, null, 9000000000, 50)",
                "select retain(interval '1 minute', interval '1 hour', 10)", "select * from lane_counts()",
            ]
            try withEachStatistics(schema) { statistics in
                for call in calls {
                    let read = try schema.pages(call, kept: false)
                    #expect(read < 1_000, "\(call), statistics \(statistics)")
                }
            }
            #expect(try await store.stats().counts[.scheduled] == 300_000)
            #expect(try await store.stats().counts[.failed] == 300_000)
        }
    }

    @Test func `what others have claimed since costs an idle lane nothing, nor those who look at it`() async throws {
        try await withStore { store, schema in
            try schema.psql("alter table lease set (autovacuum_enabled = off); analyze lease;")
            let worker = try await store.register(.testing("w", kinds: ["work", "idle"]))
            let idle = try await store.enqueue("idle")[0]
            let work = try await store.enqueue()[0]
            for lease in try await store.claim(.testing(worker, kinds: ["work", "idle"], limit: 2)) {
                _ = try await store.settle([.testing(lease.id, 0, .completed(result: nil))])
            }
            try schema.psql(
                """
                insert into lease (id, xid, position, claimed, first, peak, worker, claimed_at, finished_at, lane, count, open, completed,
                  first_segment, last_segment, s1, s2, positions, endings)
                select nextval('lease_number') << 20, xid, position, claimed + n, first, peak, worker, clock(), clock(), lane, 1, 0, 1,
                  first_segment, last_segment, s1, s2, positions, endings
                from (select l.* from lease l join lane la on la.id = l.lane where la.kind = 'work' order by l.id desc limit 1) l,
                  generate_series(1, 200000) n;
                """)
            let calls = [
                "select * from claim((select max(id) from worker), '{work,idle}', '{10,10}', null, 10)",
                "select * from find(\(idle.rawValue))", "select * from find(\(work.rawValue))",
                "select * from places(array[\(idle.rawValue), \(work.rawValue)])", "select * from lane_counts()",
                "select * from list_jobs('completed', 'idle', null, null, null, 9000000000, 50)",
                "select * from list_jobs('available', null, null, null, null, 9000000000, 50)",
            ]
            try withEachStatistics(schema) { statistics in
                for call in calls {
                    let read = try schema.pages(call, kept: false)
                    #expect(read < 500, "\(call), statistics \(statistics)")
                }
            }
        }
    }

    @Test func `a page of completed jobs is not read with all that their leases hold`() async throws {
        try await withStore { store, schema in
            let worker = try await store.register(.testing("w"))
            try fill(schema, 10_000)
            for lease in try await store.claim(.testing(worker, limit: 4_096)) {
                _ = try await store.settle(lease.jobs.indices.map { .testing(lease.id, $0, .completed(result: nil)) })
            }
            let read = try schema.pages("select * from list_jobs('completed', null, null, null, null, 9000000000, 10)")
            #expect(read < 1_000)
        }
    }

    @Test func `a job that has been enqueued and nothing else is looked for in its own segment`() async throws {
        try await withStore { store, schema in
            let policy = RetentionPolicy(completed: .seconds(6 * 3_600), failed: .seconds(3_600))
            let first = try await store.enqueue()[0]
            // A segment an hour, of which each is kept by what waits in it.
            for _ in 0..<40 {
                _ = try await store.enqueue("idle", count: 1_100)
                schema.advance(by: .seconds(3_601))
                while try await store.retain(policy, limit: 10) > 0 {}
            }
            let last = try await store.enqueue()[0]
            #expect(try #require(Int(try schema.psql("select count(*) from segment"))) > 20)
            for id in [first, last] {
                let read = try schema.pages("select * from find(\(id.rawValue))", kept: false)
                #expect(read < 50, "\(id)")
            }
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
