import MartletCore
import MartletPostgres
import MartletStore
import MartletTestSupport
import Testing

@Suite struct SegmentTests {
    private let policy = RetentionPolicy(completed: .seconds(6 * 3_600), failed: .seconds(6 * 3_600))

    private func segments(_ schema: PostgresSchema) throws -> [Int] {
        try schema.psql("select number from segment order by number").split(separator: "\n").compactMap { Int($0) }
    }

    private func pass(_ hours: Int, _ store: PostgresStore, _ schema: PostgresSchema) async throws {
        for _ in 0..<4 * hours {
            schema.advance(by: .seconds(901))
            while try await store.retain(policy, limit: 1_000) > 0 {}
        }
    }

    @Test func `segments come and go with time, and what still matters moves on in its place`() async throws {
        try await withStore { store, schema in
            let worker = try await store.register(.testing("w", lease: .seconds(900_000)))
            let ids = try await store.enqueue(count: 10)
            let lease = try await store.claim(.testing(worker, limit: 4))[0]
            _ = try await store.settle([.testing(lease.id, 0, .completed(result: nil))])
            #expect(try segments(schema) == [1, 2])
            try await pass(10, store, schema)
            let later = try segments(schema)
            #expect(try #require(later.first) > 1 && later.count < 12, "\(later)")
            #expect(try schema.psql("select to_regclass('job_1') is null") == "t")
            // Three run still, six wait still, in their order; new ones come behind.
            let new = try await store.enqueue()
            #expect(try await store.claimed(worker) == Array(ids[4...]) + new)
            #expect(try await store.job(ids[1])?.summary.state == .running)
            let reply = try await store.settle([.testing(lease.id, 1, .retryable(.boom, after: .zero))])
            #expect(reply.lost == [])
            #expect(try await store.claimed(worker) == [ids[1]])
        }
    }

    @Test func `a segment in which nothing matters goes, though an older one has to stay`() async throws {
        try await withStore { store, schema in
            let worker = try await store.register(.testing("w", lease: .seconds(900_000)))
            let kept = try await store.enqueue("idle", count: 1_100)
            for _ in 0..<30 {
                _ = try await store.enqueue(count: 2)
                let lease = try await store.claim(.testing(worker, limit: 2))[0]
                _ = try await store.settle([0, 1].map { .testing(lease.id, $0, .completed(result: nil)) })
                try await pass(1, store, schema)
            }
            let there = try segments(schema)
            #expect(there.first == 1)
            #expect(there.count < 12, "\(there)")
            #expect(try await store.stats().counts[.available] == 1_100)
            #expect(try await store.job(kept[1_099])?.summary.state == .available)
        }
    }

    @Test(.timeLimit(.minutes(2)))
    func `jobs that are committed while a segment is about to go are not lost`() async throws {
        try await withStore { store, schema in
            _ = try await store.enqueue()
            let late = try Session(schema)
            try late.run("begin; select enqueue_many('work', array_fill('{}'::text, array[3000]));")
            try await pass(10, store, schema)
            let retention = try Session(schema)
            // As retain() does it, but it waits for longer.
            let call = try retention.send("select drop_segment(1, (select last_value from segment_number)::int);")
            let watcher = try Session(schema)
            let isWaiting = "select exists (select 1 from pg_locks where relation = 'job'::regclass and not granted);"
            while try watcher.run(isWaiting) != "t" { try await Task.sleep(for: .milliseconds(10)) }
            try late.run("commit;")
            #expect(try retention.answer(to: call) == "f")
            for session in [late, retention, watcher] { try session.end() }
            #expect(try await store.stats().counts[.available] == 3_001)
            #expect(try schema.psql("select count(*) from lane la, waiting(la.id, 1000000)") == "3001")
        }
    }

    @Test func `what publishes all tables stops neither recovery nor retention`() async throws {
        try await withStore { store, schema in
            _ = try await store.enqueue(count: 5)
            let publication = PostgresSchema.quoted("all of \(schema.quoted)")
            try schema.psql("create publication \(publication) for tables in schema \(schema.quoted)")
            for _ in 0..<20 { _ = try await store.enqueue([NewJob(kind: "work", start: .after(.seconds(900_000)))]) }
            _ = try await store.recover()
            #expect(try schema.psql("select count(*) from tally") == "1")
            try await pass(10, store, schema)
            #expect(try #require(try segments(schema).first) > 1)
            #expect(try await store.stats().counts[.available] == 5)
            try schema.psql("drop publication \(publication)")
        }
    }

    @Test func `vacuum does not come to a segment only because jobs were put into it`() async throws {
        try await withStore { store, schema in
            try await pass(3, store, schema)
            let made = try segments(schema)
            #expect(made.count > 2)
            let unvisited = try schema.psql(
                """
                select substr(relname, 5)::int from pg_class
                where 'autovacuum_vacuum_insert_threshold=-1' = any(reloptions)
                  and oid in (select inhrelid from pg_inherits where inhparent = 'job'::regclass) order by 1
                """)
            #expect(unvisited.split(separator: "\n").compactMap { Int($0) } == made)
        }
    }

    @Test func `analyze does not look into what leases hold`() async throws {
        try await withStore { store, schema in
            let worker = try await store.register(.testing("w"))
            for _ in 0..<10 {
                _ = try await store.enqueue(count: 100)
                _ = try await store.claim(.testing(worker, limit: 100))
            }
            let seen = try schema.psql(
                """
                analyze lease;
                select string_agg(attname, ' ' order by attname) from pg_stats
                where schemaname = current_schema() and tablename = 'lease' and attname in ('id', 'positions', 'endings', 'times')
                """)
            #expect(seen == "id")
        }
    }

    @Test func `retention does not wait behind a reader, and drops the segment another time`() async throws {
        try await withStore { store, schema in
            _ = try await store.enqueue()
            let reader = try Session(schema)
            try reader.run("begin; select count(*) from job;")
            try await pass(10, store, schema)
            #expect(try segments(schema).first == 1)
            _ = try await store.enqueue()
            try reader.run("commit;")
            try await pass(3, store, schema)
            let then = try segments(schema)
            #expect(try #require(then.first) > 1)
            // What could not be done while the reader was there stopped nothing else.
            try await pass(12, store, schema)
            let now = try segments(schema)
            #expect(try #require(now.first) > then[0] && now.count < 12, "\(then), then \(now)")
            #expect(try #require(now.last) > then[then.count - 1], "\(then), then \(now)")
            #expect(try await store.stats().counts[.available] == 2)
            try reader.end()
        }
    }
}
