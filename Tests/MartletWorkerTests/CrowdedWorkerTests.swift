import Foundation
import MartletCore
import MartletStore
import Synchronization
import Testing

@testable import MartletWorker

/// Short jobs on threads that have too much to do, or too little.
@Suite struct CrowdedWorkerTests {
    private let bench = Bench()

    private func configuration(_ concurrency: Int, crowd: Int) -> WorkerConfiguration {
        var configuration = WorkerConfiguration.quick
        configuration.concurrency = concurrency
        configuration.crowd = crowd
        return configuration
    }

    /// Runs a worker that knows jobs of the kind to be short.
    private func run(
        _ handler: Handler, _ configuration: WorkerConfiguration, stop: StopMode = .graceful,
        _ body: (WorkerService) async throws -> Void
    ) async throws {
        bench.store.add(1, handler.kind)
        _ = try await bench.run([handler], configuration, stop: stop) { worker in
            try await eventually("one was run") { bench.store.settlements.count == 1 }
            try await body(worker)
        }
    }

    @Test func `jobs that wait are all under way, though jobs of the kind were short before`() async throws {
        let gate = Gate()
        let first = Atomic(true)
        let handler = Handler(kind: "wait") { _ in
            if first.exchange(false, ordering: .relaxed) { return .completed(result: nil) }
            await gate.pass()
            return .completed(result: nil)
        }
        try await run(handler, configuration(500, crowd: 1)) { _ in
            bench.store.add(500, "wait")
            try await eventually("all wait side by side") { gate.waiting == 500 }
            gate.open()
            try await eventually("all ended") { bench.store.settlements.count == 501 }
        }
    }

    @Test func `handlers that hop without end keep no others from beginning`() async throws {
        let begun = Atomic(-1)
        let isOver = Atomic(true)
        let handler = Handler(kind: "hop", concurrency: 12) { _ in
            begun.add(1, ordering: .relaxed)
            while !isOver.load(ordering: .relaxed) { await Task.yield() }
            return .completed(result: nil)
        }
        let passed = Atomic(0)
        let other = Handler(kind: "other") { _ in
            passed.add(1, ordering: .relaxed)
            return .completed(result: nil)
        }
        bench.store.add(1, "hop")
        _ = try await bench.run([handler, other], configuration(20, crowd: 1)) { _ in
            try await eventually("one was run") { bench.store.settlements.count == 1 }
            isOver.store(false, ordering: .relaxed)
            bench.store.add(12, "hop")
            bench.store.add(100, "other")
            try await eventually("all that may hop do, at the same time") { begun.load(ordering: .relaxed) == 12 }
            try await eventually("others are run beside them") { passed.load(ordering: .relaxed) == 100 }
            isOver.store(true, ordering: .relaxed)
            try await eventually("all ended") { bench.store.settlements.count == 113 }
        }
    }

    @Test(arguments: [StopMode.graceful, .now])
    func `what is held when the worker stops goes back`(mode: StopMode) async throws {
        let blocker = Blocker()
        let first = Atomic(true)
        let begun = Atomic(0)
        let handler = Handler(kind: "block", onBlock: .warn) { _ in
            if first.exchange(false, ordering: .relaxed) { return .completed(result: nil) }
            begun.add(1, ordering: .relaxed)
            blocker.wait()
            return .completed(result: nil)
        }
        let width = ProcessInfo.processInfo.activeProcessorCount
        try await run(handler, configuration(200, crowd: width), stop: mode) { worker in
            bench.store.add(200, "block")
            try await eventually("all threads are held") { begun.load(ordering: .relaxed) >= width }
            worker.stop(mode)
            try await eventually("the others go back") {
                bench.store.settlements.contains { $0.ending == .givenBack }
            }
            blocker.open()
        }
        let endings = bench.store.settlements.map(\.ending)
        let claimed = bench.store.change { $0.leases.reduce(0) { $0 + $1.jobs.count } }
        #expect(endings.count == claimed, "each has one ending")
        #expect(endings.allSatisfy { $0 == .givenBack || $0 == .completed(result: nil) })
    }
}
