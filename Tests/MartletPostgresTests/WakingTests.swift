import MartletCore
import MartletPQ
import MartletPostgres
import MartletStore
import MartletTestSupport
import Testing

@Suite struct WakingTests {
    private func flag(_ schema: PostgresSchema) throws -> String {
        try schema.psql("select pg_sequence_last_value(flag) from lane")
    }

    /// Claims until the claim has told producers that it sleeps.
    private func sleep(_ store: PostgresStore, _ worker: WorkerID) async throws {
        repeat { #expect(try await store.claimed(worker) == []) } while !store.hintsAreCertain
    }

    @Test(.timeLimit(.minutes(5)))
    func `an enqueue notifies only when somebody sleeps`() async throws {
        try await withStore { store, schema in
            let worker = try await store.register(.testing("w"))
            _ = try await store.enqueue()
            _ = try await store.claimed(worker)
            #expect(try flag(schema) == "1", "who claims is awake")
            _ = try await store.claimed(worker)
            #expect(try flag(schema) == "1", "nobody listens, so nobody sleeps")
            var hints = store.hints().makeAsyncIterator()
            // Listening has begun.
            await hints.next()
            #expect(!store.hintsAreCertain)
            try await sleep(store, worker)
            #expect(try flag(schema) == "2")
            try schema.psql("select enqueue('work')")
            await hints.next()
            while try await store.claimed(worker).isEmpty { await hints.next() }
            #expect(try flag(schema) == "1")
            #expect(!store.hintsAreCertain, "work may keep coming")
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `the first to see a sleeper notifies, those just after him do not, and later ones do`() async throws {
        try await withStore { _, schema in
            try schema.psql("select make_lanes(array['work'], array['default'], array[5])")
            #expect(try flag(schema) == "2", "who would have slept could not flag a lane that was not there")
            let flags = try schema.psql(
                """
                select setval(flag, 2) from lane;
                do $$
                declare v_first bigint; v_second bigint; v_later bigint; v_start timestamptz := clock_timestamp();
                begin
                  perform wake_lane(flag) from lane;
                  select pg_sequence_last_value(flag) into v_first from lane;
                  perform wake_lane(flag) from lane;
                  select pg_sequence_last_value(flag) into v_second from lane;
                  -- A slow machine may have needed longer between the two.
                  if v_first <= 2 or v_second <> v_first and clock_timestamp() < v_start + interval '5 ms' then
                    raise 'notified at % and %', v_first, v_second;
                  end if;
                  perform setval(flag, v_first - 5001) from lane;
                  perform wake_lane(flag) from lane;
                  select pg_sequence_last_value(flag) into v_later from lane;
                  if v_later < v_first then raise 'not notified again'; end if;
                  perform setval(flag, v_first + 3600000000) from lane;
                  perform wake_lane(flag) from lane;
                  select pg_sequence_last_value(flag) into v_later from lane;
                  if v_later > v_first + 1800000000 then raise 'a clock that was set back silences producers'; end if;
                  perform setval(flag, 1) from lane;
                  perform wake_lane(flag) from lane;
                  select pg_sequence_last_value(flag) into v_later from lane;
                  if v_later <> 1 then raise 'notified nobody'; end if;
                end $$;
                select 'done'
                """)
            #expect(flags.hasSuffix("done"))
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `hints are not certain once the connection that listens is lost, and whoever relies on them is told`() async throws
    {
        try await withStore { store, schema in
            let worker = try await store.register(.testing("w"))
            _ = try await store.enqueue()
            _ = try await store.claimed(worker)
            var hints = store.hints().makeAsyncIterator()
            await hints.next()
            try await sleep(store, worker)
            try schema.psql(
                """
                select pg_terminate_backend(pid) from pg_stat_activity
                where query like 'listen%' and query like '%' || current_schema() || '%' and pid <> pg_backend_pid()
                """)
            await hints.next()
            _ = try await store.enqueue()
            while try await store.claimed(worker).isEmpty { await hints.next() }
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `an enqueue that did not see the sleeper is found without a hint`() async throws {
        try await withStore { store, schema in
            let worker = try await store.register(.testing("w"))
            _ = try await store.enqueue()
            _ = try await store.claimed(worker)
            var hints = store.hints().makeAsyncIterator()
            await hints.next()
            let producer = try Session(schema)
            try producer.run("begin; select enqueue('work');")
            #expect(try await store.claimed(worker) == [])
            try producer.run("commit;")
            while try await store.claimed(worker).isEmpty { await hints.next() }
            try producer.end()
        }
    }
}
