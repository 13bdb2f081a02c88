import MartletPostgres
import MartletStore
import MartletTestSupport
import Testing

/// What is removed while somebody holds a snapshot stays where it was, dead, and vacuum may not take it.
@Suite struct HeldSnapshotTests {
    private let removed = 20_000
    private let retain = "select retain(interval '1 day', interval '1 day', 1000)"

    /// Leases of one job each that ended so long ago, in a lane of their own.
    private func putLeases(_ schema: PostgresSchema, _ ids: ClosedRange<Int>, ago: String) throws {
        try schema.psql(
            """
            insert into lane (id, queue, kind, priority) values (9, 'other', 'other', 0) on conflict do nothing;
            insert into lease (id, xid, position, claimed, worker, claimed_at, finished_at, lane, count, open, completed, s1, s2)
              select n, '3', 0, n, 1, clock(), clock() - interval '\(ago)', 9, 1, 0, 1, '3:3:', '3:3:'
              from generate_series(\(ids.lowerBound), \(ids.upperBound)) n;
            """)
    }

    private func withHeldSnapshot(
        _ body: (PostgresStore, PostgresSchema) async throws -> Void
    ) async throws {
        try await withStore { store, schema in
            let other = try Session(schema)
            try other.run("begin isolation level repeatable read; select count(*) from lane;")
            try await body(store, schema)
            try other.run("commit;")
            try other.end()
        }
    }

    @Test func `retention does not step over all that it removed while a snapshot is held`() async throws {
        try await withHeldSnapshot { store, schema in
            try putLeases(schema, 1...removed, ago: "2 days")
            // Its lane's cursor.
            try putLeases(schema, removed + 1...removed + 1, ago: "0")
            try schema.psql("do $$ begin while retain('1 day', '1 day', 1000) > 0 loop commit; end loop; end $$")
            #expect(try schema.psql("select count(*) from lease") == "1")
            #expect(try schema.psql("select forgotten from lane where id = 9") == "\(removed)")
            let read = try schema.pages(retain)
            #expect(read < 200, "\(read)")
        }
    }

    @Test func `a full look is one also where there is always something to remove`() async throws {
        try await withHeldSnapshot { store, schema in
            try putLeases(schema, 1...50, ago: "1 day 1 minute")
            #expect(try schema.psql(retain) == "50")
            #expect(try schema.psql("select pg_sequence_last_value('forgotten_fully') is not null") == "t")
        }
    }

    @Test func `a clock that goes back keeps nothing from being found`() async throws {
        try await withHeldSnapshot { store, schema in
            try putLeases(schema, 1...5, ago: "3 days")
            try schema.psql(
                """
                insert into delayed (id, lane, state, run_at, enqueued_at, args)
                  values (1, 9, 'scheduled', clock() - interval '1 second', clock(), '{}');
                select setval(s, micros(clock() + interval '1 hour'))
                  from unnest('{promoted_fully,promoted_upto,forgotten_fully,forgotten_upto,segments_turned,added_up}'::regclass[]) s;
                """)
            try schema.psql("update segment set opened_at = clock() + interval '30 days' where opened_at is not null")
            #expect(try schema.psql("select moved from promote(10)") == "1")
            #expect(try schema.psql(retain) == "5")
            while try schema.psql(retain) != "0" {}
            #expect(try schema.psql("select count(*) from segment where opened_at > clock()") == "0")
            // One that went ahead in the middle of a look.
            let ahead = try schema.psql(
                """
                select looked_everywhere('promoted_fully', clock() - interval '1 hour');
                select last_value <= micros(clock() + interval '10 minutes') from promoted_fully;
                """)
            #expect(ahead.hasSuffix("t"))
        }
    }

    @Test func `retention finds what ended behind it, if later`() async throws {
        try await withHeldSnapshot { store, schema in
            try putLeases(schema, 1...1, ago: "3 days")
            try putLeases(schema, 100...100, ago: "0")
            while try schema.psql(retain) != "0" {}
            try putLeases(schema, 2...2, ago: "5 days")
            schema.advance(by: .seconds(3_600))
            while try schema.psql(retain) != "0" {}
            #expect(try schema.psql("select id from lease") == "100")
        }
    }

    @Test func `promotion does not either, and a look at everything that takes long is followed by a longer pause`()
        async throws
    {
        try await withHeldSnapshot { store, schema in
            try schema.psql(
                """
                insert into lane (id, queue, kind, priority) values (9, 'other', 'other', 0);
                insert into delayed (id, lane, state, run_at, enqueued_at, args)
                  select n, 9, 'scheduled', clock() - n * interval '1 second', clock(), '{}' from generate_series(1, \(removed)) n;
                do $$ begin while (select moved from promote(1000)) > 0 loop commit; end loop; end $$;
                """)
            schema.advance(by: .seconds(60))
            let pause = try schema.psql(
                "select next from promote(10); select last_value > extract(epoch from clock()) * 1000000 from promoted_fully"
            )
            #expect(pause.hasSuffix("t"))
            let read = try schema.pages("select * from promote(10)")
            #expect(read < 200, "\(read)")
        }
    }
}
