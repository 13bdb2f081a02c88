import MartletCore
import MartletPostgres
import MartletStore
import MartletTestSupport
import Testing

/// Each role can do what its programs need, and nothing else.
@Suite struct RolesTests {
    private typealias Verb = (name: String, roles: Set<String>, call: @Sendable (PostgresStore, Ids) async throws -> Void)

    /// What programs ask of the store, and who may.
    private static let verbs: [Verb] = [
        ("enqueue", ["producer", "worker", "admin"], { store, _ in _ = try await store.enqueue() }),
        (
            "enqueue later", ["producer", "worker", "admin"],
            { store, _ in _ = try await store.enqueue([NewJob(kind: "new", start: .after(.seconds(1)))]) }
        ),
        ("register", ["worker"], { store, _ in _ = try await store.register(.testing("w")) }),
        ("heartbeat", ["worker"], { store, ids in _ = try store.heartbeat(ids.worker) }),
        ("claim", ["worker"], { store, ids in _ = try await store.claim(.testing(ids.worker, limit: 1)) }),
        (
            "settle", ["worker"],
            { store, ids in
                _ = try await store.settle([.testing(ids.lease, 0, .failed(.boom, .exhausted))])
            }
        ),
        (
            "settle with follow-ups", ["worker"],
            { store, ids in
                let next = try NewJob(kind: "work")
                _ = try await store.settle([.testing(ids.lease, 1, .completed(result: nil), followUps: [next])])
            }
        ),
        (
            "report progress", ["worker"],
            { store, ids in _ = try await store.progress([JobProgress(lease: ids.lease, index: 2, fraction: 0.5)]) }
        ),
        ("last report", ["worker"], { store, _ in _ = try await store.lastReport(name: "w", host: "h") }),
        ("recover", ["worker"], { store, _ in _ = try await store.recover() }),
        ("promote", ["worker"], { store, _ in _ = try await store.promote(limit: 10) }),
        ("retain", ["worker"], { store, _ in _ = try await store.retain(RetentionPolicy(), limit: 10) }),
        ("deregister", ["worker"], { store, ids in try await store.deregister(ids.spare) }),
        ("look round for a bench", ["worker"], { store, _ in _ = try await store.benchSurroundings() }),
        (
            "remove a bench", ["worker"],
            { store, _ in
                let name = try #require(BenchName("martlet-bench-a1"))
                _ = try await store.removeBench(name, limit: 10)
            }
        ),
        // What is left to do is shown while a worker drains.
        ("stats", ["worker", "reader", "admin"], { store, _ in _ = try await store.stats() }),
        ("show", ["reader", "admin"], { store, ids in _ = try await store.job(ids.job) }),
        ("list", ["reader", "admin"], { store, _ in _ = try await store.list(JobQuery()) }),
        ("failures", ["reader", "admin"], { store, _ in _ = try await store.failures(limit: 1) }),
        ("queues", ["reader", "admin"], { store, _ in _ = try await store.queues() }),
        ("workers", ["reader", "admin"], { store, _ in _ = try await store.workers() }),
        ("diagnose", ["reader", "admin"], { store, _ in _ = try await store.diagnose() }),
        (
            "count", ["reader", "admin"],
            { store, _ in _ = try await store.candidates(.retry, [.failed, .cancelled], JobFilter()) }
        ),
        ("retry", ["admin"], { store, ids in _ = try await store.retry(.ids([ids.job])) }),
        ("cancel", ["admin"], { store, ids in _ = try await store.cancel(.ids([ids.job])) }),
        ("pause", ["admin"], { store, _ in _ = try await store.pause(queue: "other", true) }),
        ("discard", ["admin"], { store, ids in _ = try await store.discard(.ids([ids.job])) }),
    ]

    struct Ids {
        let worker: WorkerID
        let spare: WorkerID
        let lease: LeaseID
        let job: JobID
    }

    @Test(.timeLimit(.minutes(2)))
    func `the table of what each role may ask for holds`() async throws {
        try await withRoles { store, schema, roles in
            for role in roles {
                let ids = try await prepare(store)
                var options = schema.options
                options.url = schema.server.url(user: role.user)
                let theirs = try await PostgresStore.open(options)
                for verb in Self.verbs {
                    do {
                        try await verb.call(theirs, ids)
                        #expect(verb.roles.contains(role.name), "\(role.name) could \(verb.name)")
                    } catch let error as StoreError {
                        #expect(!verb.roles.contains(role.name), "\(role.name) could not \(verb.name): \(error)")
                        #expect(error.code == .unusable && error.message.contains("permission denied"), "\(error)")
                        #expect(error.message.contains("martlet migrate roles"))
                    }
                }
                await theirs.close()
            }
        }
    }

    @Test func `no role writes a table itself, and only those that look may read one`() async throws {
        try await withRoles { _, schema, roles in
            for role in roles {
                let rights = try schema.psql(
                    """
                    select c.relname, string_agg(p, ',' order by p) from pg_class c
                    cross join unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER', 'REFERENCES']) p
                    where c.relnamespace = '\(quotedLiteral(schema.quoted))'::regnamespace and c.relkind in ('r', 'p', 'v')
                      and has_table_privilege('\(quotedLiteral(role.user))', c.oid, p)
                    group by c.relname order by 1
                    """
                ).split(separator: "\n").map { $0.split(separator: "|").map(String.init) }
                #expect(rights.allSatisfy { $0[1] == "SELECT" }, "\(role.name): \(rights)")
                let readable = Set(rights.map { $0[0] })
                if ["reader", "admin"].contains(role.name) {
                    #expect(readable.isSuperset(of: ["job", "job_1", "lease", "failed", "jobs", "queues"]), "\(role.name)")
                } else {
                    #expect(readable == ["migration"], "\(role.name)")
                }
                let sequences = try schema.psql(
                    """
                    select count(*) from pg_class c where relnamespace = '\(quotedLiteral(schema.quoted))'::regnamespace
                      and case when relkind = 'S' then has_sequence_privilege(
                        '\(quotedLiteral(role.user))', c.oid, 'USAGE, UPDATE') end
                    """)
                #expect(sequences == "0", "\(role.name)")
            }
        }
    }

    @Test(arguments: [
        "array['no kind'], array['q'], array[1]", "array['k'], array[''], array[1]", "array['k'], array['q'], array[10]",
    ])
    func `whatever function a producer calls, it cannot make a lane that no client would make`(names: String) async throws {
        try await withRoles { _, schema, roles in
            let producer = try #require(roles.first { $0.name == "producer" })
            for call in ["enqueue_batch(array['{}'], \(names))", "make_lanes(\(names))"] {
                let failure = #expect(throws: PostgresServerFailure.self) {
                    try schema.psql("set session authorization \(PostgresSchema.quoted(producer.user)); select \(call)")
                }
                #expect("\(try #require(failure))".contains(#/kind|queue|priority/#))
            }
            #expect(try schema.psql("select count(*) from lane") == "0")
        }
    }

    @Test func `functions that run as their owner pin the search path, and nobody else may call any`() async throws {
        try await withPostgresSchema("Mar \"t'l$$\\et") { schema in
            let schemaID = "'\(quotedLiteral(schema.quoted))'::regnamespace"
            let paths = try schema.psql(
                """
                select distinct coalesce(array_to_string(proconfig, '; '), 'none') from pg_proc
                where pronamespace = \(schemaID) and prosecdef
                """
            ).split(separator: "\n")
            #expect(!paths.isEmpty)
            for path in paths {
                #expect(path.contains("search_path=\(schema.quoted), pg_temp"), "\(path)")
            }
            let open = try schema.psql(
                """
                select proname from pg_proc p where pronamespace = \(schemaID)
                  and (proacl is null or exists (select 1 from aclexplode(proacl) where grantee = 0))
                """)
            #expect(open == "")
        }
    }

    private struct Role {
        let name: String
        let user: String
    }

    private func withRoles(_ body: (PostgresStore, PostgresSchema, [Role]) async throws -> Void) async throws {
        try await withStore { store, schema in
            let names = try await PostgresStore.createRoles(schema.options)
            let roles = names.map { name in
                let role = name.split(separator: "_").last.map(String.init) ?? ""
                // Fit for a URL as it is.
                return Role(name: role, user: "\(schema.name.suffix(8))_\(role)")
            }
            #expect(roles.map(\.name).sorted() == ["admin", "producer", "reader", "worker"])
            for (name, role) in zip(names, roles) {
                try schema.psql(
                    "create role \(PostgresSchema.quoted(role.user)) login in role \(PostgresSchema.quoted(name))")
            }
            let all = (names + roles.map(\.user)).map(PostgresSchema.quoted).joined(separator: ", ")
            do {
                try await body(store, schema, roles)
            } catch {
                try schema.psql("drop owned by \(all); drop role \(all)")
                throw error
            }
            try schema.psql("drop owned by \(all); drop role \(all)")
        }
    }

    private func prepare(_ store: PostgresStore) async throws -> Ids {
        _ = try await store.enqueue(count: 2)
        let worker = try await store.register(.testing("w"))
        let lease = try await store.claim(.testing(worker, limit: 1))[0]
        let job = try await store.enqueue()[0]
        return Ids(worker: worker, spare: try await store.register(.testing("spare")), lease: lease.id, job: job)
    }
}

/// As it stands between the quotes of a literal.
func quotedLiteral(_ text: String) -> String { text.replacing("'", with: "''") }
