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
            let said = Mutex<[(Leftovers?, Duration?)]>([])
            let failing = Handler(
                kind: "work", retry: RetryPolicy(backoff: .fixed(.seconds(3_600)), jitter: 0)
            ) { _ in .retry(JobError(type: "test", message: "no")) }
            let worker = WorkerService(
                store: fixture.store, handlers: [failing], configuration: configuration, logger: .silent
            ) { event in
                if case .drained(let leftovers, let next) = event { said.withLock { $0.append((leftovers, next)) } }
            }
            try await worker.run()
            let all = said.withLock { $0 }
            #expect(all.count == 1)
            #expect(all[0].0?.later == 3 && all[0].0?.paused == [:])
            let next = try #require(all[0].1)
            #expect(next > .seconds(3_000) && next <= .seconds(3_600))
        }
    }

    @Test(arguments: Engine.allCases, [nil, ["open", "shut"]] as [[String]?])
    func `a drain says what waits in paused queues, of those that are its business`(
        _ engine: Engine, _ queues: [String]?
    ) async throws {
        try await withStore(engine) { fixture in
            for queue in ["shut", "also-shut", "empty"] { _ = try await fixture.store.pause(queue: queue, true) }
            try await fixture.enqueue("work", count: 2, queue: "open")
            try await fixture.enqueue("work", count: 3, queue: "shut")
            try await fixture.enqueue("other", count: 4, queue: "shut", priority: 1)
            try await fixture.enqueue("work", count: 1, queue: "shut", start: .after(.seconds(7_200)))
            try await fixture.enqueue("work", count: 5, queue: "also-shut")
            var configuration = WorkerConfiguration.quick
            configuration.drain = true
            configuration.queues = queues
            let said = Mutex<[Leftovers?]>([])
            let worker = WorkerService(
                store: fixture.store, handlers: [Handler(kind: "work", run: done)], configuration: configuration,
                logger: .silent
            ) { event in
                if case .drained(let leftovers, _) = event { said.withLock { $0.append(leftovers) } }
            }
            try await worker.run()
            #expect(worker.tally.completed == 2)
            let all = said.withLock { $0 }
            #expect(all.count == 1)
            #expect(all[0]?.later == 1)
            #expect(all[0]?.paused == (queues == nil ? ["shut": 7, "also-shut": 5] : ["shut": 7]))
        }
    }
}
