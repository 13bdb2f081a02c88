import MartletCore
import MartletPQ
import MartletPostgres
import MartletStore
import MartletTestSupport
import Testing

/// Producers of any language, by SQL.
@Suite struct ProducerTests {
    @Test func `SQL enqueues in its own transaction, or not at all`() async throws {
        try await withStore { store, schema in
            try schema.psql(
                "begin; select enqueue('work', '{\"kept\": 1}'); commit; begin; select enqueue('work'); rollback;")
            let jobs = try await store.list(JobQuery()).jobs
            #expect(jobs.map(\.args.string) == [#"{"kept": 1}"#])
        }
    }

    @Test(arguments: [
        ("select enqueue('bad kind')", "kind:"), ("select enqueue('work', '{')", "args: not valid JSON"),
        ("select enqueue('work', null::text)", "args: null"), ("select enqueue('work', '{}', priority => 10)", "priority:"),
        ("select enqueue('work', '{}', queue => '')", "queue:"),
        (#"select enqueue('work', '"\u0000"')"#, "args: contains a NUL"),
        ("select enqueue('work', '{}', max_attempts => 0)", "max_attempts:"),
        ("select enqueue('work', expires_at => 'infinity')", "expires_at: out of range"),
        ("select enqueue('work', run_at => clock(), expires_at => clock() - interval '1 s')", "expires_at: is over"),
        ("select enqueue_many('work', array['1'], expires_at => '-infinity')", "expires_at: out of range"),
        ("select enqueue('work', to_json(repeat('x', 1048576)))", "args: larger"),
    ])
    func `what cannot be used is refused by name`(_ sql: String, _ reason: String) async throws {
        try await withStore { store, schema in
            let failure = try #require(throws: (any Error).self) { try schema.psql(sql) }
            #expect("\(failure)".contains(reason))
            #expect(try await store.stats().counts.values.allSatisfy { $0 == 0 })
        }
    }

    @Test func `json and jsonb may be bound, and all options given`() async throws {
        try await withStore { store, schema in
            try schema.psql(
                """
                select enqueue('work', '{"a":1}'::json), enqueue('work', '{"a":1}'::jsonb),
                  enqueue('work', '[]', 'mail', 2, clock() + interval '1 hour', 3, '90 seconds');
                """)
            let jobs = try await store.list(JobQuery()).jobs
            #expect(jobs.map(\.args.string) == ["[]", #"{"a": 1}"#, #"{"a":1}"#])
            #expect(jobs[0].queue == "mail" && jobs[0].priority.rawValue == 2 && jobs[0].state == .scheduled)
            #expect(jobs[0].maxAttempts == 3)
            #expect(try await store.job(jobs[0].id)?.timeout == .seconds(90))
        }
    }

    @Test func `a producer's role enqueues and does nothing else`() async throws {
        try await withStore { store, schema in
            let roles = try await PostgresStore.createRoles(schema.options)
            let producer = try #require(roles.first { $0.hasSuffix("_producer") })
            let (user, worker) = ("\(schema.name) p", "\(schema.name) w")
            try schema.psql("create role \"\(user)\" login in role \"\(producer)\";")
            try schema.psql("create role \"\(worker)\" login in role \"\(roles[1])\";")
            try schema.psql("set role \"\(user)\"; select enqueue('work');")
            for sql in [
                "select * from job", "select * from lane",
                "insert into job (segment, lane, enqueued_at, args) values (1, 1, now(), '')",
                "select claim(1, '{work}', '{1}', null, 1)", "select recover()", "select repair('cancel', '{1}', false)",
                "select create_roles()", "select lane_of('q', 'k', 1)", "delete from lease",
            ] {
                let failure = try #require(throws: (any Error).self) { try schema.psql("set role \"\(user)\"; \(sql);") }
                #expect("\(failure)".contains("permission denied"), "\(sql)")
            }
            try schema.psql(
                "set role \"\(worker)\"; select claim(register('w', 'h', 1, 'v', '{work}', null, 1, 30000), '{work}', '{1}', null, 1);"
            )
            #expect(try await store.stats().counts[.running] == 1)
            let names = (roles + [user, worker]).map { "\"\($0)\"" }.joined(separator: ", ")
            try schema.psql("drop owned by \(names); drop role \(names);")
        }
    }

    @Test(.timeLimit(.minutes(3)))
    func `who makes lanes in opposite order in long transactions may be undone, whole, and spared by make_lanes`()
        async throws
    {
        try await withStore { store, schema in
            let (one, other) = (try Session(schema), try Session(schema))
            try one.run("begin; select enqueue('a');")
            try other.run("begin; select enqueue('b');")
            let first = try one.send("select enqueue('b');")
            let waiting =
                "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query = 'select enqueue(''b'');'"
            while try schema.psql(waiting) == "0" { await Task.yield() }
            try other.run("select enqueue('a');")
            _ = try one.answer(to: first)
            try one.run("commit;")
            try other.run("commit;")
            #expect(try await store.list(JobQuery()).jobs.map(\.kind).sorted() == ["a", "b"])

            try schema.psql("select make_lanes('{c,d}', '{default,default}', '{5,5}')")
            // Each answers at once, so neither waits for the other.
            try one.run("begin; select enqueue('c');")
            try other.run("begin; select enqueue('d');")
            try one.run("select enqueue('d');")
            try other.run("select enqueue('c'); commit;")
            try one.run("commit;")
            #expect(try await store.list(JobQuery()).jobs.count == 6)
            for session in [one, other] { try session.end() }
        }
    }

    @Test func `a job that comes alone makes its lane in its own transaction, and several find theirs made`() async throws {
        try await withStore { store, schema in
            let together = "select count(*) from lane l join job j on j.lane = l.id and j.xid::text = l.xmin::text"
            _ = try await store.enqueue("alone")
            #expect(try schema.psql(together) == "1")
            _ = try await store.enqueue("alone")
            _ = try await store.enqueue("several", count: 2)
            #expect(try schema.psql(together) == "1")
            #expect(try schema.psql("select count(*) from lane") == "2")
        }
    }

    @Test func `a producer says until when a job may be started`() async throws {
        try await withStore { store, schema in
            try schema.psql(
                """
                select enqueue('work', expires_at => '2099-01-01Z'),
                  enqueue('work', '[]'::jsonb, run_at => '2098-01-01Z', expires_at => '2099-01-01Z'),
                  enqueue_many('work', array['1', '2'], expires_at => '2099-01-01Z');
                """)
            let jobs = try await store.list(JobQuery()).jobs
            #expect(jobs.count == 4)
            for job in jobs { #expect(try await store.job(job.id)?.expiry?.at.rfc3339 == "2099-01-01T00:00:00.000Z") }
        }
    }
}
