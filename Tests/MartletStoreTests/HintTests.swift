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
                // Across processes a producer tells those who sleep, and a claim sleeps only where no transaction is under way
                // that may not have seen it. Other tests have theirs.
                repeat {
                    #expect(try await fixture.store.claim(.testing(worker)).isEmpty)
                } while engine == .postgres && !fixture.store.hintsAreCertain
                _ = try await store.enqueue([try NewJob(kind: "work")])
                var lease = try await fixture.store.claim(.testing(worker)).first
                while lease == nil {
                    await hints.next()
                    lease = try await fixture.store.claim(.testing(worker)).first
                }
                try await fixture.settle(try #require(lease), 0, .completed(result: nil))
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
