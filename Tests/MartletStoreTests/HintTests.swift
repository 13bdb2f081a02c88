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
                _ = try await store.enqueue([try NewJob(kind: "work")])
                await hints.next()
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
