import MartletCore
import MartletStore
import MartletWorker
import Testing

/// Leases that a worker loses, or no longer trusts: the whole worker on a scripted store.
@Suite struct LeaseLossTests {
    private let bench = Bench()
    private var store: ScriptedStore { bench.store }

    @Test func `a worker that was declared dead stops its jobs, settles nothing of them, and registers anew`() async throws {
        let gate = Gate()
        let lost = store.add(4, "long")
        var configuration = WorkerConfiguration.quick
        configuration.lease = .seconds(3)
        let tally = try await bench.run(
            [
                Handler(kind: "long") { call in
                    if lost.contains(call.id) { await gate.pass() }
                    return .completed(result: nil)
                }
            ], configuration
        ) { _ in
            try await eventually("all run") { gate.arrived == 4 }
            store.change { $0.dead = [$0.registered[0]] }
            try await eventually("their tasks are cancelled") { gate.waiting == 0 }
            try await eventually("it registers anew") { store.change { $0.registered.count } == 2 }
            let next = store.add(1, "long")
            try await eventually("and goes on") { store.endings[next[0]] == .completed(result: nil) }
        }
        #expect(tally.settled == 1)
        #expect(store.settlements.count == 1)
        #expect(store.change { $0.claims.last?.worker } == store.change { $0.registered.last })
        #expect(bench.events.count { if case .heartbeatLost(.declaredDead) = $0 { true } else { false } } == 1)
    }

    @Test func `a worker that cannot renew stops its jobs before its leases end`() async throws {
        let gate = Gate()
        store.add(2, "long")
        var configuration = WorkerConfiguration.quick
        configuration.lease = .seconds(1)
        _ = try await bench.run(
            [
                Handler(kind: "long") { _ in
                    await gate.pass(); return .completed(result: nil)
                }
            ], configuration
        ) { _ in
            try await eventually("both run") { gate.arrived == 2 }
            store.change { $0.outage = StoreError(.unavailable, "away") }
            try await eventually("their tasks are cancelled") { gate.waiting == 0 }
            try await eventually("it says so") {
                bench.events.contains { if case .heartbeatLost(.expired) = $0 { true } else { false } }
            }
            store.change { $0.outage = nil }
            try await eventually("it registers anew") { store.change { $0.registered.count } == 2 }
        }
        #expect(store.settlements.isEmpty)
    }

    @Test func `jobs of a lease that the store took away are stopped`() async throws {
        let gate = Gate()
        store.add(2, "pair")
        _ = try await bench.run([
            Handler(kind: "pair") { call in
                if call.id.rawValue == 2 {
                    await gate.pass()
                } else {
                    while gate.arrived == 0 { await Task.yield() }
                    store.change { $0.lost = [call.lease] }
                }
                return .completed(result: nil)
            }
        ]) { worker in
            try await eventually("the loss is noticed") { worker.tally.fenced == 1 }
            try await eventually("the other job is stopped") { gate.arrived == 1 && gate.waiting == 0 }
        }
        #expect(store.settlements.isEmpty)
    }
}
