import MartletCore
import MartletStore
import MartletWorker
import ServiceLifecycle
import Testing

/// How a worker ends: the whole worker on a scripted store.
@Suite struct StoppingTests {
    private let bench = Bench()
    private var store: ScriptedStore { bench.store }

    @Test func `a graceful stop lets running jobs end and gives back those that have not begun`() async throws {
        let gate = Gate()
        store.add(2_000, "fast")
        let tally = try await bench.run([
            Handler(kind: "fast") { call in
                if call.id.rawValue > 500 { await gate.pass() }
                return .completed(result: nil)
            }
        ]) { worker in
            try await eventually("all slots are held") { gate.arrived == 4 }
            worker.stop(.graceful)
            try await eventually("what had not begun is given back") { worker.tally.givenBack > 0 }
            gate.open()
        }
        let leased = store.change { $0.leases.reduce(0) { $0 + $1.jobs.count } }
        #expect(tally.settled == leased, "everything claimed is accounted for")
        // How many of the first 500 had begun by then is the machine's pace; the four that held the slots were let end.
        #expect(tally.completed >= 4)
        #expect(tally.completed + tally.givenBack == leased)
        #expect(store.change { $0.deregistered.count } == 1)
    }

    @Test func `after the grace running jobs are cancelled and given back`() async throws {
        let gate = Gate()
        store.add(4, "long")
        var configuration = WorkerConfiguration.quick
        configuration.grace = .milliseconds(50)
        let tally = try await bench.run(
            [
                Handler(kind: "long") { _ in
                    await gate.pass(); return .retry(boom)
                }
            ], configuration
        ) { _ in try await eventually("all run") { gate.arrived == 4 } }
        #expect(tally.givenBack == 4)
    }

    @Test func `a second, more urgent order ends the grace`() async throws {
        let gate = Gate()
        store.add(1, "long")
        var configuration = WorkerConfiguration.quick
        configuration.grace = .seconds(3_600)
        let tally = try await bench.run(
            [
                Handler(kind: "long") { _ in
                    await gate.pass(); return .interrupted
                }
            ], configuration
        ) { worker in
            try await eventually("it runs") { gate.arrived == 1 }
            worker.stop(.graceful)
            try await eventually("the grace began") {
                bench.events.contains { if case .stopping(.graceful) = $0 { true } else { false } }
            }
            worker.stop(.now)
        }
        #expect(tally.givenBack == 1)
    }

    @Test func `cancelling the task that runs the worker stops it without a grace`() async throws {
        let gate = Gate()
        store.add(1, "long")
        var configuration = WorkerConfiguration.quick
        configuration.grace = .seconds(3_600)
        let worker = bench.worker(
            [
                Handler(kind: "long") { _ in
                    await gate.pass(); return .interrupted
                }
            ], configuration)
        let task = Task { try await worker.run() }
        try await eventually("it runs") { gate.arrived == 1 }
        task.cancel()
        try await task.value
        #expect(worker.tally.givenBack == 1)
        #expect(store.change { $0.deregistered.count } == 1)
    }

    @Test func `a service group stops it gracefully`() async throws {
        let gate = Gate()
        store.add(1, "long")
        let worker = bench.worker(
            [
                Handler(kind: "long") { _ in
                    await gate.pass(); return .completed(result: nil)
                }
            ], .quick)
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [.init(service: worker, successTerminationBehavior: .gracefullyShutdownGroup)], logger: .silent))
        let task = Task { try await group.run() }
        try await eventually("it runs") { gate.arrived == 1 }
        await group.triggerGracefulShutdown()
        try await eventually("it is stopping") {
            bench.events.contains { if case .stopping(.graceful) = $0 { true } else { false } }
        }
        gate.open()
        try await task.value
        #expect(worker.tally.completed == 1)
    }

    @Test func `a handler that ignores everything cannot keep the worker from ending`() async throws {
        let gate = Gate()
        store.add(1, "deaf")
        let tally = try await bench.run(
            [
                Handler(kind: "deaf", unwind: .milliseconds(20)) { _ in
                    await gate.pass(deaf: true)
                    return .completed(result: nil)
                }
            ], stop: .now
        ) { _ in try await eventually("it runs") { gate.arrived == 1 } }
        #expect(tally.givenBack == 1)
        gate.open()
    }

    @Test func `jobs that a claim brings while the worker stops are given back`() async throws {
        store.change { $0.holdsClaims = true }
        store.add(3, "noop")
        let tally = try await bench.run([Handler(kind: "noop", run: done)]) { worker in
            try await eventually("a claim is under way") { store.change { $0.held.count } == 1 }
            worker.stop(.graceful)
            try await eventually("it is stopping") {
                bench.events.contains { if case .stopping = $0 { true } else { false } }
            }
            store.letGo()
        }
        #expect(tally.givenBack == 3)
    }
}
