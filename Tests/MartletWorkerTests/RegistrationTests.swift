import MartletCore
import MartletStore
import Testing

@testable import MartletWorker

@Suite struct RegistrationTests {
    @Test func `a claim without an answer ends its registration, and gives back what it may have been granted`() async throws
    {
        let bench = Bench()
        let store = bench.store
        _ = try await bench.run([Handler(kind: "work", run: done)]) { _ in
            try await eventually("it claims") { store.change { $0.claims.count } > 0 }
            store.change { $0.outage = StoreError(.unknown, "the connection broke before the answer") }
            try await eventually("it trusts its registration no longer") {
                bench.events.contains { if case .heartbeatLost(.unansweredClaim) = $0 { true } else { false } }
            }
            store.change { $0.outage = nil }
            try await eventually("it registers anew") { store.change { $0.registered.count } == 2 }
            let first = store.change { $0.registered[0] }
            #expect(store.change { $0.deregistered } == [first], "before it does, so that nobody takes it for dead")
            let ids = store.add(1, "work")
            try await eventually("and goes on") { store.endings[ids[0]] == .completed(result: nil) }
        }
    }

    @Test func `a worker that could not renew gives its old registration back itself`() async throws {
        let bench = Bench()
        let store = bench.store
        var configuration = WorkerConfiguration.quick
        configuration.lease = .seconds(1)
        let gate = Gate()
        store.add(1, "work")
        let handler = Handler(kind: "work") { _ in
            await gate.pass()
            return .completed(result: nil)
        }
        _ = try await bench.run([handler], configuration) { _ in
            try await eventually("it runs") { gate.arrived == 1 }
            store.change { $0.outage = StoreError(.unavailable, "away") }
            try await eventually("its trust ends") {
                bench.events.contains { if case .heartbeatLost = $0 { true } else { false } }
            }
            store.change { $0.outage = nil }
            try await eventually("it registers anew") { store.change { $0.registered.count } == 2 }
            #expect(store.change { $0.deregistered == [$0.registered[0]] })
        }
    }
}
