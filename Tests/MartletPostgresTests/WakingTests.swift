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
            // One that takes longer is relied on by nobody, and on a busy machine this may be one.
            var isJudged = false
            while !isJudged {
                do {
                    try schema.psql(
                        """
                        select setval(flag, 2) from lane;
                        do $$
                        declare v_first bigint; v_second bigint; v_later bigint; v_wrong text;
                        begin
                          perform wake_lane(flag) from lane;
                          select pg_sequence_last_value(flag) into v_first from lane;
                          perform wake_lane(flag) from lane;
                          select pg_sequence_last_value(flag) into v_second from lane;
                          if clock_timestamp() > now() + interval '5 ms' then raise 'too slow'; end if;
                          if v_first <= 2 or v_second <> v_first then v_wrong := v_first || ', ' || v_second; end if;
                          perform setval(flag, v_first - 5001) from lane;
                          perform wake_lane(flag) from lane;
                          select pg_sequence_last_value(flag) into v_later from lane;
                          if v_later < v_first then v_wrong := 'not notified again'; end if;
                          perform setval(flag, v_first + 3600000000) from lane;
                          perform wake_lane(flag) from lane;
                          select pg_sequence_last_value(flag) into v_later from lane;
                          if v_later > v_first + 1800000000 then v_wrong := 'a clock set back silences producers'; end if;
                          perform setval(flag, 1) from lane;
                          perform wake_lane(flag) from lane;
                          select pg_sequence_last_value(flag) into v_later from lane;
                          if v_later <> 1 then v_wrong := 'notified nobody'; end if;
                          if clock_timestamp() > now() + interval '5 ms' then raise 'too slow'; end if;
                          if v_wrong is not null then raise '%', v_wrong; end if;
                        end $$
                        """)
                    isJudged = true
                } catch  where "\(error)".contains("too slow") {}
            }
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `a long transaction notifies, and no other relies on it`() async throws {
        try await withStore { _, schema in
            try schema.psql("select make_lanes(array['work'], array['default'], array[5])")
            let listener = try Session(schema)
            try schema.psql("select setval(flag, 2) from lane")
            try schema.psql("begin; select pg_sleep(0.01); select enqueue('work'); rollback")
            #expect(try flag(schema) == "2", "nobody would come, and the next one has to say so")
            try listener.run("select format('listen %I', current_schema()) \\gexec")
            try schema.psql("begin; select pg_sleep(0.01); select enqueue('work'); commit")
            #expect(try listener.run("select 1;").contains("Asynchronous notification"))
            try listener.end()
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
