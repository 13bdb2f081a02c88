import MartletCore
import MartletStore
import MartletTestSupport
import MartletWorker
import Testing

/// The end of a drain, on a real store.
@Suite struct DrainTests {
    @Test(arguments: Engine.allCases)
    func `what a dead worker left is done before a drain ends, however late it is found`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let ids = try await fixture.enqueue("work", count: 3)
            let other = try await fixture.another()
            let dead = try await other.register(.testing("dead", lease: .seconds(10)))
            let lease = try await other.claim(.testing(dead))[0]
            #expect(lease.jobs.count == 3)
            // Dies without a word: it is closed, but never deregistered, and its lease runs out.
            await other.close()
            fixture.advance(.seconds(11))

            let late = Gate()
            // Only there so that a failure ends.
            let bound = Task {
                try await Task.sleep(for: .seconds(60))
                late.open()
            }
            defer { bound.cancel() }
            let store = LateRecovery(store: fixture.store, gate: late)
            var configuration = WorkerConfiguration.quick
            configuration.drain = true
            let worker = WorkerService(
                store: store, handlers: [Handler(kind: "work", run: done)], configuration: configuration, logger: .silent
            ) { event in
                switch event {
                case .drained, .jobEnded, .recovered: late.open()
                case .started, .registered, .claimed, .jobStarted, .abandoned, .settled, .leasesLost, .heartbeatLost,
                    .cancelRequested, .promoted, .blocked, .threadsLost, .pulse, .adapted, .memoryExceeded, .removed,
                    .storeUnavailable,
                    .storeAvailable, .stopping, .stopped:
                    break
                }
            }
            try await worker.run()
            #expect(worker.tally.completed == 3)
            for id in ids { #expect(try await fixture.state(id) == .completed) }
        }
    }
}
