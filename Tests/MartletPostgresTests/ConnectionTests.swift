import MartletCore
import MartletPostgres
import MartletStore
import MartletTestSupport
import Testing

@Suite struct ConnectionTests {
    @Test(.timeLimit(.minutes(2)))
    func `a store outlives its connections`() async throws {
        try await withStore { store, schema in
            let worker = try await store.register(.testing("w"))
            _ = try await store.enqueue(count: 2)
            let lease = try await store.claim(.testing(worker, limit: 1))[0]
            for _ in 0..<3 {
                try schema.psql(
                    "select pg_terminate_backend(pid) from pg_stat_activity where query like '%\(schema.name)%' and pid <> pg_backend_pid()"
                )
                // What only reads is asked again by itself.
                #expect(try await store.job(lease.jobs[0].id)?.summary.state == .running)
            }
            #expect(try store.heartbeat(worker).alive)
            #expect(try await store.settle([.testing(lease.id, 0, .completed(result: nil))]).lost == [])
        }
    }

    @Test func `without prepared statements all is the same`() async throws {
        try await withPostgresSchema { schema in
            var options = schema.options
            options.url += "?pooler=transaction"
            let store = try await PostgresStore.open(options)
            let worker = try await store.register(.testing("w"))
            let ids = try await store.enqueue(count: 5)
            let lease = try await store.claim(.testing(worker))[0]
            #expect(lease.jobs.map(\.id) == ids)
            _ = try await store.settle(ids.indices.map { .testing(lease.id, $0, .completed(result: .emptyObject)) })
            #expect(try await store.stats().counts[.completed] == 5)
            await store.close()
        }
    }

    @Test func `enqueues that wait together are written together`() async throws {
        try await withStore { store, schema in
            let ids = try await withThrowingTaskGroup(of: JobID.self) { group in
                for _ in 0..<300 { group.addTask { try await store.enqueue()[0] } }
                return try await group.reduce(into: Set<JobID>()) { $0.insert($1) }
            }
            #expect(ids.count == 300)
            let transactions = try #require(Int(try schema.psql("select count(distinct xid) from job")))
            #expect(transactions < 150, "\(transactions) transactions")
        }
    }
}
