import MartletCore
import MartletPQ
import MartletPostgres
import MartletStore
import MartletTestSupport
import Testing

@Suite struct ProducerTests {
    @Test func `SQL enqueues in its own transaction, or not at all`() async throws {
        try await withPostgresSchema { schema in
            let store = try await PostgresStore.open(schema.options)
            try schema.psql("begin; select enqueue('work', '{\"kept\": 1}'); commit; begin; select enqueue('work'); rollback;")
            let jobs = try await store.list(JobQuery()).jobs
            #expect(jobs.map(\.args.string) == [#"{"kept": 1}"#])
            await store.close()
        }
    }
}
