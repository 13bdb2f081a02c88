import MartletCore
import MartletPostgres
import MartletStore
import MartletTestSupport
import Testing

/// The schema: made once however many make it, under any name, understood one version back.
@Suite struct SchemaTests {
    @Test func `many that migrate at once make one schema`() async throws {
        try await withPostgresSchema(migrate: false) { schema in
            let all = try await withThrowingTaskGroup(of: MigrationStatus.self) { group in
                for _ in 0..<6 { group.addTask { try await PostgresStore.migrate(schema.options) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(all.allSatisfy { $0.current == $0.latest && $0.pending.isEmpty })
            #expect(try schema.psql("select count(*) = max(version) from migration") == "t")
            let store = try await PostgresStore.open(schema.options)
            #expect(try await store.diagnose().filter { $0.level == .problem } == [])
            await store.close()
        }
    }

    @Test func `a step that only adds something keeps older programs working, another does not`() async throws {
        try await withStore { store, schema in
            let latest = try await PostgresStore.migrationStatus(schema.options).latest
            try schema.psql("insert into migration (version, name, serves) values (\(latest + 1), 'more', \(latest))")
            let ahead = try await PostgresStore.migrationStatus(schema.options)
            #expect(ahead.isAhead && !ahead.isNewer && ahead.pending.isEmpty)
            #expect(try await PostgresStore.migrate(schema.options) == ahead)
            let older = try await PostgresStore.open(schema.options)
            _ = try await older.enqueue()
            await older.close()

            try schema.psql("insert into migration (version, name, serves) values (\(latest + 2), 'other', \(latest + 2))")
            #expect(try await PostgresStore.migrationStatus(schema.options).isNewer)
            let refused = await #expect(throws: StoreError.self) { try await PostgresStore.open(schema.options) }
            #expect(refused?.code == .incompatible)
            #expect(refused?.message.contains("install the newer version") == true)
        }
    }

    @Test func `a job that brings the question for the schema along is enqueued only where it is the known one`()
        async throws
    {
        try await withPostgresSchema(migrate: false) { schema in
            let job = try NewJob(kind: "work")
            #expect(try PostgresStore.enqueueAtOnce(job, schema.options) == nil)
            let latest = try await PostgresStore.migrate(schema.options).latest
            let id = try #require(try PostgresStore.enqueueAtOnce(job, schema.options))
            #expect(try schema.psql("select position from job") == "\(id)")
            func step(serving serves: Int) throws {
                try schema.psql(
                    """
                    delete from migration where version > \(latest);
                    insert into migration (version, name, serves) values (\(latest + 1), 'more', \(serves))
                    """)
            }
            try step(serving: latest)
            #expect(try PostgresStore.enqueueAtOnce(job, schema.options) != nil, "a newer one that serves this program, too")
            try step(serving: latest + 1)
            #expect(try PostgresStore.enqueueAtOnce(job, schema.options) == nil)
            try schema.psql("delete from migration")
            #expect(try PostgresStore.enqueueAtOnce(job, schema.options) == nil)
            #expect(try schema.psql("select count(*) from job") == "2")
        }
    }

    @Test func `a refusal that has nothing to do with the schema is told, and nothing is tried again`() async throws {
        try await withPostgresSchema { schema in
            try schema.psql(
                """
                create sequence tries;
                create function refuse() returns trigger language plpgsql as
                  $$begin perform nextval('\(schema.quoted).tries'); raise 'no' using errcode = 'disk_full'; end$$;
                create trigger refuse before insert on lane for each row execute function refuse()
                """)
            #expect(throws: StoreError.self) {
                try PostgresStore.enqueueAtOnce(try NewJob(kind: "work"), schema.options)
            }
            #expect(try schema.psql("select last_value from tries") == "1")
            #expect(try schema.psql("select is_called from tries") == "t")
        }
    }

    @Test(.timeLimit(.minutes(2)))
    func `everything works in a schema whose name needs quotes`() async throws {
        try await withPostgresSchema("Mar \"t'l$$\\et") { schema in
            let store = try await PostgresStore.open(schema.options)
            let hints = store.hints()
            let worker = try await store.register(.testing("w"))
            _ = try await store.claim(.testing(worker))
            try schema.psql("select enqueue('work', '{\"by\": \"SQL\"}')")
            for await _ in hints { break }
            let ids = try await store.enqueue(count: 4)
            _ = try await store.enqueue([NewJob(kind: "work", start: .after(.seconds(60)))])
            let lease = try await store.claim(.testing(worker))[0]
            #expect(lease.jobs.count == 5)
            _ = try await store.settle([
                .testing(lease.id, 0, .completed(result: .emptyObject)), .testing(lease.id, 1, .failed(.boom, .exhausted)),
                .testing(lease.id, 2, .retryable(.boom, after: .zero)), .testing(lease.id, 3, .snoozed(.seconds(60))),
            ])
            #expect(try store.heartbeat(worker).alive)
            _ = try await store.cancel(.ids([ids[3]]))
            #expect(try await store.job(ids[3])?.summary.cancelRequested == true)
            #expect(try await store.retry(.ids([ids[0]])).changed == 1)
            schema.advance(by: .seconds(120))
            #expect(try await store.promote(limit: 10).moved == 2)
            #expect(try await store.recover().workers == [worker])
            #expect(try await store.stats().counts.filter { $0.value > 0 } == [.completed: 1, .available: 4, .cancelled: 1])
            #expect(try await store.list(JobQuery()).jobs.count == 6)
            #expect(try await store.queues().map(\.kind) == ["work"])
            #expect(try await store.retain(RetentionPolicy(completed: .zero, failed: .zero), limit: 100) > 0)
            #expect(try await store.diagnose().filter { $0.level == .problem } == [])
            #expect(try schema.psql("select sum(available) from queues") == "4")
            #expect(try await PostgresStore.plan(schema.options) == "")
            await store.close()

            let roles = try await PostgresStore.createRoles(schema.options)
            #expect(roles.first?.hasPrefix(schema.name) == true)
            let names = roles.map(PostgresSchema.quoted).joined(separator: ", ")
            try schema.psql("drop owned by \(names); drop role \(names)")
        }
    }
}
