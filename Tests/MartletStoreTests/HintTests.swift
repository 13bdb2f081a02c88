import MartletCore
import MartletStore
import MartletTestSupport
import Testing

@Suite struct HintTests {
    @Test(.timeLimit(.minutes(5)), arguments: Engine.allCases)
    func `an enqueue here and an enqueue elsewhere both wake who listens`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let other = try await fixture.another()
            for store in engine.hintsAcrossProcesses ? [fixture.store, other] : [fixture.store] {
                var hints = fixture.store.hints().makeAsyncIterator()
                let worker = try await fixture.store.register(.testing("w"))
                #expect(try await fixture.store.claim(.testing(worker)).isEmpty)
                // Across processes a producer tells those who sleep.
                while engine == .postgres, !fixture.store.hintsAreCertain {
                    await hints.next()
                    #expect(try await fixture.store.claim(.testing(worker)).isEmpty)
                }
                _ = try await store.enqueue([try NewJob(kind: "work")])
                while try await fixture.store.claim(.testing(worker)).isEmpty { await hints.next() }
                try await fixture.store.deregister(worker)
            }
            await other.close()
        }
    }

    @Test(.timeLimit(.minutes(5)), arguments: Engine.allCases)
    func `closing ends the hints`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let other = try await fixture.another()
            let hints = other.hints()
            await other.close()
            for await _ in hints {}
        }
    }
}
