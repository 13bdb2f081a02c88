import MartletCore
import MartletPostgres
import MartletStore
import MartletTestSupport
import Testing

/// What waits for later and what has failed is known without being counted: see `tally` in `migrations/`.
@Suite struct TallyTests {
    private func schedule(_ store: PostgresStore) async throws {
        _ = try await store.enqueue([NewJob(kind: "work", start: .after(.seconds(3_600)))])
    }

    @Test func `what gathers is added up, and nothing is lost by that`() async throws {
        try await withStore { store, schema in
            for _ in 0..<40 { try await schedule(store) }
            // Somebody's transaction has seen none of it, and goes on counting what it sees.
            let reader = try Session(schema)
            try reader.run("begin isolation level repeatable read; select 1 from lane;")
            try await schedule(store)
            let before = try #require(Int(try schema.psql("select count(*) from tally")))
            _ = try await store.recover()
            let after = try #require(Int(try schema.psql("select count(*) from tally")))
            #expect(before > 40 && after == 1)
            #expect(try await store.stats().counts[.scheduled] == 41)
            #expect(try reader.run("select scheduled from lane_counts();") == "40")
            try reader.end()
            // And again, after a while.
            for _ in 0..<20 { try await schedule(store) }
            schema.advance(by: .seconds(60))
            _ = try await store.recover()
            #expect(try schema.psql("select count(*) from tally") == "1")
            #expect(try await store.stats().counts[.scheduled] == 61)
        }
    }

    @Test func `a transaction that is undone has counted nothing`() async throws {
        try await withStore { store, schema in
            try await schedule(store)
            try schema.psql("begin; select enqueue('work', '{}', run_at => clock() + interval '1 hour'); rollback;")
            #expect(try await store.stats().counts[.scheduled] == 1)
        }
    }

    @Test func `what was changed behind the queue's back is told, and counted anew`() async throws {
        try await withStore { store, schema in
            for _ in 0..<3 { try await schedule(store) }
            #expect(try schema.psql("select * from audit()") == "")
            try schema.psql(
                "alter table delayed disable trigger user; delete from delayed; alter table delayed enable trigger user;")
            let problem = try schema.psql("select * from audit()")
            #expect(problem.contains("0 jobs are scheduled, the tally says 3"))
            // As it says itself, from wherever.
            let remedy = try #require(problem.firstMatch(of: #/select "[^"]+"\.recount\(\)/#))
            try schema.server.psql(String(remedy.output))
            #expect(try schema.psql("select * from audit()") == "")
            #expect(try await store.stats().counts[.scheduled] == 0)
        }
    }
}
