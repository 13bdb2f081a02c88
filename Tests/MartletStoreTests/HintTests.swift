import Glibc
import MartletCore
import MartletStore
import MartletTestSupport
import Synchronization
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
    func `who claims where others' work is heard of has nobody to wake for the answer`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let store = fixture.store
            let thread = try #require(store.claimThread)
            let worker = try await store.register(.testing("w"))
            let (told, heard) = AsyncStream<pthread_t>.makeStream()
            let watch = store.onHint({ heard.yield(pthread_self()) }, ended: { heard.finish() })
            // Whatever listening itself brings is heard on that thread, too.
            let place = try await withTaskExecutorPreference(thread) {
                let before = pthread_self()
                for _ in 0..<20 {
                    _ = try await store.claim(.testing(worker))
                    #expect(pthread_self() == before)
                }
                return before
            }
            let other = try await fixture.another()
            _ = try await (engine.hintsAcrossProcesses ? other : store).enqueue([try NewJob(kind: "work")])
            if engine.hintsAcrossProcesses {
                var places = told.makeAsyncIterator()
                #expect(await places.next() == place)
            }
            watch.end()
            await other.close()
        }
    }

    @Test(.timeLimit(.minutes(5)), arguments: Engine.allCases)
    func `tasks that have chosen a store's thread outlive the store`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let other = try await fixture.another()
            let thread = try #require(other.claimThread)
            let isClosed = AsyncStream<Void>.makeStream()
            let task = Task(executorPreference: thread) {
                for await _ in isClosed.stream {}
                await Task.yield()
            }
            await other.close()
            isClosed.continuation.finish()
            await task.value
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
