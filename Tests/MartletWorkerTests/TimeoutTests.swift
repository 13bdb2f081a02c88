import MartletCore
import MartletStore
import MartletWorker
import Testing

/// Runs that take too long, and runs that a person cancels: the whole worker on a scripted store.
@Suite struct TimeoutTests {
    private let bench = Bench()
    private var store: ScriptedStore { bench.store }

    @Test func `a job that takes too long is cancelled and tried again`() async throws {
        let gate = Gate()
        let ids = store.add(1, "slow", timeout: .milliseconds(30))
        _ = try await bench.run([
            Handler(kind: "slow", retry: RetryPolicy(jitter: 0)) { _ in
                await gate.pass()
                return Task.isCancelled ? .interrupted : .completed(result: nil)
            }
        ]) { _ in try await eventually("it is settled") { !store.settlements.isEmpty } }
        #expect(
            store.endings[ids[0]]
                == .retryable(JobError(type: "timeout", message: "timed out after 30ms"), after: .seconds(2)))
    }

    @Test func `after a timeout the next job runs in a task that is not cancelled`() async throws {
        let gate = Gate()
        store.add(3, "slow", timeout: .milliseconds(30))
        let ids = store.add(3, "next")
        var configuration = WorkerConfiguration.quick
        configuration.concurrency = 1
        _ = try await bench.run(
            [
                Handler(kind: "slow") { _ in
                    await gate.pass(); return .interrupted
                },
                Handler(kind: "next") { _ in Task.isCancelled ? .discard(boom) : .completed(result: nil) },
            ], configuration
        ) { _ in try await eventually("all are settled") { store.settlements.count == 6 } }
        for id in ids { #expect(store.endings[id] == .completed(result: nil)) }
    }

    @Test func `a handler that ignores its timeout loses its slot, and what it returns later is ignored`() async throws {
        let gate = Gate()
        let stuck = store.add(1, "stuck", timeout: .milliseconds(20))
        var configuration = WorkerConfiguration.quick
        configuration.concurrency = 1
        let handlers = [
            Handler(kind: "stuck", unwind: .milliseconds(20)) { _ in
                await gate.pass(deaf: true)
                return .completed(result: nil)
            }, Handler(kind: "next", run: done),
        ]
        _ = try await bench.run(handlers, configuration) { _ in
            try await eventually("its slot is written off") {
                bench.events.contains { if case .abandoned("stuck", stuck[0], _) = $0 { true } else { false } }
            }
            let next = store.add(1, "next")
            try await eventually("another job runs in its place") { store.endings[next[0]] != nil }
            gate.open()
            let after = store.add(50, "next")
            try await eventually("and the worker goes on") { store.endings[after[49]] != nil }
        }
        #expect(store.settlements.count == 52, "it was settled once")
        guard case .retryable(let error, _) = store.endings[stuck[0]] else {
            Issue.record("not retryable")
            return
        }
        #expect(error.type == "timeout")
    }

    @Test func `a running job that a person cancels ends as cancelled`() async throws {
        let gate = Gate()
        let ids = store.add(2, "long")
        var configuration = WorkerConfiguration.quick
        configuration.lease = .seconds(3)
        _ = try await bench.run(
            [
                Handler(kind: "long") { _ in
                    await gate.pass()
                    return Task.isCancelled ? .retry(boom) : .completed(result: nil)
                }
            ], configuration
        ) { _ in
            try await eventually("both run") { gate.arrived == 2 }
            store.change { script in script.cancelRequests = [CancelRequest(lease: script.leases[0].id, index: 1)] }
            try await eventually("it is cancelled") { store.endings[ids[1]] == .cancelled }
            #expect(store.endings[ids[0]] == nil)
            gate.open()
            try await eventually("the other one ends well") { store.endings[ids[0]] == .completed(result: nil) }
        }
        #expect(store.settlements.count == 2)
    }
}
