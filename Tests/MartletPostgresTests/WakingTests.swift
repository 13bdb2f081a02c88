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
            _ = try await store.claimed(worker)
            #expect(try flag(schema) == "2")
            try schema.psql("select enqueue('work')")
            await hints.next()
            while try await store.claimed(worker).isEmpty { await hints.next() }
            #expect(try flag(schema) == "1")
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
