import MartletCore
import MartletStore
import MartletTestSupport
import MartletWorker
import Synchronization
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
                    .storeUnavailable, .storeAvailable, .stopping, .unsettled, .stopped:
                    break
                }
            }
            try await worker.run()
            #expect(worker.tally.completed == 3)
            for id in ids { #expect(try await fixture.state(id) == .completed) }
        }
    }

    @Test(arguments: Engine.allCases)
    func `a drain says how many jobs it leaves for later, and when the next is due`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            try await fixture.enqueue("work", count: 1)
            try await fixture.enqueue("work", count: 2, start: .after(.seconds(7_200)))
            var configuration = WorkerConfiguration.quick
            configuration.drain = true
            let said = Mutex<[(Int?, Duration?)]>([])
            let failing = Handler(
                kind: "work", retry: RetryPolicy(backoff: .fixed(.seconds(3_600)), jitter: 0)
            ) { _ in .retry(JobError(type: "test", message: "no")) }
            let worker = WorkerService(
                store: fixture.store, handlers: [failing], configuration: configuration, logger: .silent
            ) { event in
                if case .drained(let later, let next) = event { said.withLock { $0.append((later, next)) } }
            }
            try await worker.run()
            let all = said.withLock { $0 }
            #expect(all.count == 1)
            #expect(all[0].0 == 3)
            let next = try #require(all[0].1)
            #expect(next > .seconds(3_000) && next <= .seconds(3_600))
        }
    }
}
