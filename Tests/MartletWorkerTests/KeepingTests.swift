import MartletCore
import MartletStore
import MartletWorker
import Synchronization
import Testing

/// What a worker does besides running jobs: the whole worker on a scripted store.
@Suite struct KeepingTests {
    private let bench = Bench()
    private var store: ScriptedStore { bench.store }

    @Test func `a drain goes on with what becomes due, and does not wait for what is due later`() async throws {
        store.change {
            $0.promotions = [
                PromotionReply(moved: 0, nextDue: .seconds(3_600)), PromotionReply(moved: 0, nextDue: .seconds(3_600)),
            ]
        }
        store.add(1, "noop")
        let tally = try await bench.drain([Handler(kind: "noop", run: done)])
        #expect(tally.completed == 1)
    }

    @Test func `due jobs are promoted in pieces, the dead looked for, and old jobs removed until none is left`() async throws
    {
        store.change {
            $0.promotions = [PromotionReply(moved: 1_000, nextDue: .zero), PromotionReply(moved: 7, nextDue: nil)]
            $0.removals = [1_000, 3]
        }
        var configuration = WorkerConfiguration.quick
        configuration.recovery = .milliseconds(20)
        _ = try await bench.run([Handler(kind: "noop", run: done)], configuration) { _ in
            try await eventually("both pieces are promoted") { store.change { $0.promotions.isEmpty } }
            try await eventually("everything old is removed") { store.change { $0.removals.isEmpty } }
            try await eventually("the dead are looked for again and again") { store.change { $0.recoveries } >= 3 }
        }
        #expect(bench.events.count { if case .promoted = $0 { true } else { false } } == 2)
        #expect(bench.events.count { if case .removed = $0 { true } else { false } } == 2)
    }

    @Test func `a worker keeps its leases while handlers block every thread of the pool`() async throws {
        let release = Blocker()
        store.add(64, "blocking")
        var configuration = WorkerConfiguration.quick
        configuration.concurrency = 64
        configuration.lease = .seconds(3)
        let worker = bench.worker(
            [
                Handler(kind: "blocking") { _ in
                    release.wait(); return .completed(result: nil)
                }
            ], configuration)
        let store = store
        // From a thread of its own, since no task makes progress meanwhile.
        let beats = Mutex(0)
        let watcher = Watcher {
            while store.change({ $0.leases.isEmpty }) {}
            let before = store.change { $0.heartbeats }
            while store.change({ $0.heartbeats }) < before + 3 {}
            beats.withLock { $0 = store.change { $0.heartbeats } - before }
            release.open()
        }
        let task = Task { try await worker.run() }
        try await eventually("all are settled") { worker.tally.completed == 64 }
        worker.stop(.graceful)
        try await task.value
        watcher.join()
        #expect(beats.withLock { $0 } >= 3)
        #expect(store.change { $0.registered.count } == 1)
    }
}
