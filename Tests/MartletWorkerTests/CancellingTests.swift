import MartletCore
import MartletStore
import MartletWorker
import Synchronization
import Testing

/// What handlers do when they are cancelled is users' code, and may take as long as it likes.
@Suite struct CancellingTests {
    private let bench = Bench()
    private var store: ScriptedStore { bench.store }

    private var configuration: WorkerConfiguration {
        var configuration = WorkerConfiguration.quick
        configuration.lease = .seconds(3)
        return configuration
    }

    @Test func `an onCancel that blocks holds up neither heartbeats nor timeouts nor other cancellations`() async throws {
        let (blocker, gate, cancelling) = (Blocker(), Gate(), Counter())
        defer {
            blocker.open()
            gate.open()
        }
        let stubborn = Handler(
            kind: "stubborn", unwind: .seconds(600),
            run: { _ in
                await withTaskCancellationHandler {
                    await gate.pass(deaf: true)
                } onCancel: {
                    cancelling.add()
                    blocker.wait()
                }
                return .completed(result: nil)
            })
        let polite = Gate()
        let late = Gate()
        let handlers = [
            stubborn,
            Handler(kind: "polite") { _ in
                await polite.pass()
                return Task.isCancelled ? .retry(boom) : .completed(result: nil)
            },
            Handler(kind: "late", timeout: .milliseconds(100)) { _ in
                await late.pass()
                return .completed(result: nil)
            },
        ]
        store.add(1, "stubborn")
        _ = try await bench.run(handlers, configuration) { _ in
            try await eventually("it runs") { gate.arrived == 1 }
            let lease = try #require(store.change { $0.leases }.first { $0.kind == "stubborn" }).id
            store.change { $0.cancelRequests = [CancelRequest(lease: lease, index: 0)] }
            try await eventually("its cancellation blocks") { cancelling.count == 1 }
            let before = store.change { $0.heartbeats }
            try await eventually("the heart goes on") { store.change { $0.heartbeats } > before + 3 }
            let overdue = store.add(1, "late")
            try await eventually("a timeout is kept") {
                if case .retryable(let error, _) = store.endings[overdue[0]] { error.type == "timeout" } else { false }
            }
            let other = store.add(1, "polite")
            try await eventually("another one runs") { polite.arrived == 1 }
            store.change { script in
                let lease = script.leases.last { $0.kind == "polite" }!.id
                script.cancelRequests.append(CancelRequest(lease: lease, index: 0))
            }
            try await eventually("and is cancelled") { store.endings[other[0]] == .cancelled }
            #expect(cancelling.count == 1, "while the first one still blocks")
            blocker.open()
            gate.open()
        }
        #expect(!bench.events.contains { if case .heartbeatLost = $0 { true } else { false } })
    }
}

private final class Counter: Sendable {
    private let value = Mutex(0)
    var count: Int { value.withLock { $0 } }
    func add() { value.withLock { $0 += 1 } }
}
