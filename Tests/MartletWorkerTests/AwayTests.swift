import MartletCore
import MartletStore
import MartletWorker
import Testing

/// A store that is away: the whole worker on a scripted store.
@Suite struct AwayTests {
    private let bench = Bench()
    private var store: ScriptedStore { bench.store }

    @Test func `handlers go on while the store is away, and are settled when it is back`() async throws {
        let gate = Gate()
        let ids = store.add(4, "long")
        _ = try await bench.run([
            Handler(kind: "long") { _ in
                await gate.pass(); return .completed(result: nil)
            }
        ]) { worker in
            try await eventually("all run") { gate.arrived == 4 }
            store.change { $0.outage = StoreError(.unavailable, "away") }
            gate.open()
            try await eventually("all are done") {
                bench.events.count { if case .jobEnded = $0 { true } else { false } } == 4
            }
            try await eventually("the outage is noticed") {
                bench.events.contains { if case .storeUnavailable = $0 { true } else { false } }
            }
            #expect(worker.tally.settled == 0)
            store.change { $0.outage = nil }
            try await eventually("all are settled") { worker.tally.completed == 4 }
        }
        #expect(Set(store.endings.keys) == Set(ids))
    }

    @Test func `a store that is away at the start is waited for`() async throws {
        store.change { $0.outage = StoreError(.unavailable, "away") }
        store.add(1, "noop")
        _ = try await bench.run([Handler(kind: "noop", run: done)]) { _ in
            try await eventually("it is noticed") {
                bench.events.contains { if case .storeUnavailable = $0 { true } else { false } }
            }
            store.change { $0.outage = nil }
            try await eventually("the job runs") { store.settlements.count == 1 }
        }
    }

    @Test func `an error that waiting does not cure ends the worker with it`() async throws {
        let gate = Gate()
        store.add(1, "long")
        let worker = bench.worker(
            [
                Handler(kind: "long") { _ in
                    await gate.pass(); return .interrupted
                }
            ], .quick)
        let task = Task { try await worker.run() }
        try await eventually("the job runs") { gate.arrived == 1 }
        store.change { $0.outage = StoreError(.unusable, "damaged") }
        let error = await #expect(throws: StoreError.self) { try await task.value }
        #expect(error?.code == .unusable)
        #expect(gate.waiting == 0, "its handlers were cancelled")
    }
}
