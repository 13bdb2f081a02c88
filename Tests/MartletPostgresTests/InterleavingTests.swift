import MartletCore
import MartletPostgres
import MartletStore
import MartletTestSupport
import Testing

@Suite struct InterleavingTests {
    /// Waits until somebody in the schema's database waits for a lock.
    private func waitForWaiting(_ schema: PostgresSchema) async throws {
        while try schema.psql("select count(*) from pg_locks where not granted") == "0" {
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `a job that is promoted while it is cancelled is cancelled`() async throws {
        try await withStore { store, schema in
            let worker = try await store.register(.testing("w"))
            let id = try await store.enqueue([NewJob(kind: "work", start: .after(.seconds(60)))])[0]
            schema.advance(by: .seconds(61))
            let promoter = try Session(schema)
            try promoter.run("begin; select promote(10);")
            let cancelling = Task { try await store.cancel(.ids([id])) }
            try await waitForWaiting(schema)
            try promoter.run("commit;")
            let reply = try await cancelling.value
            #expect(reply.changed == 1)
            #expect(try await store.job(id)?.summary.state == .cancelled)
            #expect(try await store.claimed(worker) == [])
            #expect(try await store.stats().counts[.available, default: 0] == 0)
            try promoter.end()
        }
    }

    /// As two repairs see it that looked for locks while it ran, and for its place when it had failed.
    @Test(.timeLimit(.minutes(5)))
    func `a job that has just failed is put back once, however many ask for it`() async throws {
        try await withStore { store, schema in
            let worker = try await store.register(.testing("w"))
            let id = try await store.enqueue()[0]
            let lease = try await store.claim(.testing(worker))[0]
            _ = try await store.settle([.testing(lease.id, 0, .failed(.boom, .exhausted))])
            let (one, other) = (try Session(schema), try Session(schema))
            let putBack = "select put_back(array(select p from places(array[\(id.rawValue)]::bigint[]) p), null);"
            try one.run("begin; \(putBack)")
            let second = try other.send(putBack)
            try await waitForWaiting(schema)
            try one.run("commit;")
            _ = try other.answer(to: second)
            #expect(try await store.claimed(worker) == [id])
            #expect(try await store.claimed(worker) == [])
            for session in [one, other] { try session.end() }
        }
    }

    @Test func `one snapshot for a whole transaction is refused, since it could give jobs out twice`() async throws {
        try await withStore { store, schema in
            let worker = try await store.register(.testing("w"))
            _ = try await store.enqueue(count: 3)
            for level in ["repeatable read", "serializable"] {
                let error = #expect(throws: (any Error).self) {
                    try schema.psql(
                        "begin isolation level \(level); select * from claim(\(worker.rawValue), array['work'], array[3], null, 3)"
                    )
                }
                #expect("\(try #require(error))".contains("needs read committed"))
            }
            #expect(try await store.claimed(worker).count == 3)
        }
    }
}
