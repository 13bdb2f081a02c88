import Logging
import Martlet
import MartletCore
import MartletStore
import MartletWorker
import Synchronization

/// Measures one thing after another, each in a queue of its own that goes afterwards, through the library as programs use it.
///
/// Workers of a bench keep everybody's history for as long as can be said, so that nothing of others goes because of them.
struct BenchRun {
    let plan: BenchPlan
    let name: BenchName
    let store: any BenchStore
    /// A second opening, as that of another program: latency is measured between the two.
    let other: any BenchStore
    let logger: Logger
    let tell: @Sendable (String) -> Void

    private(set) var results = BenchResults()
    private(set) var removed = 0
    private var queues = 0

    init(
        plan: BenchPlan, name: BenchName, store: any BenchStore, other: any BenchStore, logger: Logger,
        tell: @escaping @Sendable (String) -> Void
    ) {
        self.plan = plan
        self.name = name
        self.store = store
        self.other = other
        self.logger = logger
        self.tell = tell
    }

    mutating func perform() async throws {
        // First of all, as memory that others took and gave back would hide what its jobs take.
        if plan.measures(.inFlight) {
            for run in 1...plan.runs { try await inFlight(label(run)) }
        }
        for run in 1...plan.runs {
            let of = label(run)
            if plan.measures(.enqueue) || plan.measures(.drain) { try await bulk(of) }
            if plan.measures(.enqueue) { try await singles(of) }
            if plan.measures(.latency) { try await latency(of) }
        }
    }

    private func label(_ run: Int) -> String { plan.runs == 1 ? "" : "run \(run) of \(plan.runs), " }

    private mutating func nextQueue() -> String {
        queues += 1
        return name.queue(queues)
    }

    private mutating func clear(_ of: String) async throws {
        tell("\(of)removing")
        removed += try await BenchRemoval.remove(name, store)
    }

    private func configuration(_ queue: String) -> Worker.Configuration {
        var configuration = Worker.Configuration()
        configuration.name = name.description
        configuration.queues = [queue]
        configuration.keepCompleted = Limits.retention.upperBound
        configuration.keepFailed = Limits.retention.upperBound
        return configuration
    }

    // MARK: Enqueue and drain

    private mutating func bulk(_ of: String) async throws {
        let queue = nextQueue()
        let rate = try await enqueue(plan.jobs, into: queue, of)
        if plan.measures(.enqueue) { results.add(rate, to: .bulk) }
        if plan.measures(.drain) { try await drain(queue, of) }
        try await clear(of)
    }

    /// Three batches under way: one is encoded while others are written.
    /// - Returns: jobs per second.
    private func enqueue(_ count: Int, into queue: String, _ of: String) async throws -> Double {
        let client = Client(store: store)
        let batch = Limits.enqueueBatch
        let start = ContinuousClock.now
        try await withThrowingTaskGroup(of: Void.self) { group in
            for first in stride(from: 0, to: count, by: batch) {
                if first >= 3 * batch { try await group.next() }
                try Task.checkCancellation()
                tell("\(of)enqueue: \(Counted.grouped(first)) of \(Counted.jobs(count))")
                let numbers = first..<min(first + batch, count)
                group.addTask {
                    _ = try await client.enqueue(contentsOf: numbers.map { BenchJob(number: $0) }, queue: queue)
                }
            }
            try await group.waitForAll()
        }
        return Double(count) / (.now - start).inSeconds
    }

    /// From the start of a worker until everything is durably completed and it has ended.
    private mutating func drain(_ queue: String, _ of: String) async throws {
        tell("\(of)drain")
        var configuration = configuration(queue)
        configuration.concurrency = plan.concurrency
        configuration.drain = true
        let worker = try Worker(
            Client(store: store), jobs: [BenchJob.self], configuration: configuration, logger: logger)
        let before = BenchJob.runs.load(ordering: .relaxed)
        let processor = OwnUsage.processorSeconds()
        let start = ContinuousClock.now
        try await worker.run()
        let seconds = (.now - start).inSeconds
        let used = OwnUsage.processorSeconds() - processor
        try Task.checkCancellation()
        let ran = BenchJob.runs.load(ordering: .relaxed) - before
        guard ran >= plan.jobs else {
            throw Failure(
                .failed,
                "\(Counted.jobs(ran)) of \(Counted.grouped(plan.jobs)) ran, and nothing was left to run: did somebody pause "
                    + "or cancel them?")
        }
        results.add(Double(plan.jobs) / seconds, to: .drained)
        results.add(used / Double(plan.jobs) * 1e6, to: .processorTime)
    }

    private mutating func singles(_ of: String) async throws {
        let queue = nextQueue()
        let client = Client(store: store)
        tell("\(of)enqueue one by one")
        // The first one makes the lane.
        try await client.enqueue(BenchJob(number: 0), queue: queue)
        let (plan, next) = (plan, BenchCounter())
        let start = ContinuousClock.now
        let end = start + .seconds(plan.seconds)
        let count = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<min(plan.tasks, plan.jobs) {
                group.addTask {
                    var done = 0
                    repeat {
                        guard let number = next.take(below: plan.jobs) else { break }
                        try await client.enqueue(BenchJob(number: number), queue: queue)
                        done += 1
                    } while !Task.isCancelled && .now < end
                    return done
                }
            }
            return try await group.reduce(0, +)
        }
        let seconds = (.now - start).inSeconds
        try Task.checkCancellation()
        results.add(Double(count) / seconds, to: .single)
        try await clear(of)
    }

    // MARK: Latency

    private mutating func latency(_ of: String) async throws {
        let queue = nextQueue()
        tell("\(of)latency")
        let arrivals = BenchArrivals()
        var configuration = configuration(queue)
        configuration.middleware = [arrivals]
        let worker = try Worker(
            Client(store: store), jobs: [BenchJob.self], configuration: configuration, logger: logger)
        let client = Client(store: other)
        let seconds = plan.seconds
        let (started, acknowledged) = try await during(worker) {
            var (started, acknowledged): ([Double], [Double]) = ([], [])
            var arrival = arrivals.stream.makeAsyncIterator()
            // The first ones make the lane and warm up.
            var number = 0
            var end = ContinuousClock.now
            while number < Self.warmUps + 1 || .now < end {
                if number == Self.warmUps { end = .now + .seconds(seconds) }
                try await Task.sleep(for: .microseconds(Int.random(in: 8_000...25_000)))
                let start = ContinuousClock.now
                try await client.enqueue(BenchJob(number: number), queue: queue)
                let known = ContinuousClock.now
                repeat {
                    guard let next = await arrival.next() else { throw CancellationError() }
                    guard next.number == number else { continue }
                    if number >= Self.warmUps {
                        started.append((next.at - start).inSeconds * 1e3)
                        acknowledged.append((known - start).inSeconds * 1e3)
                    }
                    break
                } while true
                number += 1
            }
            return (started, acknowledged)
        }
        if let started = Figures(started), let acknowledged = Figures(acknowledged) {
            results.add(started: started, acknowledged: acknowledged)
        }
        try await clear(of)
    }

    private static let warmUps = 3

    // MARK: In flight

    private mutating func inFlight(_ of: String) async throws {
        let queue = nextQueue()
        _ = try await enqueue(plan.inFlight, into: queue, of)
        tell("\(of)in flight")
        let gate = BenchGate(count: plan.inFlight)
        var configuration = configuration(queue)
        configuration.concurrency = plan.inFlight
        configuration.middleware = [gate]
        let worker = try Worker(
            Client(store: store), jobs: [BenchJob.self], configuration: configuration, logger: logger)
        let before = MachineGauge.resident()
        let start = ContinuousClock.now
        let (seconds, resident) = try await during(worker) {
            defer { gate.open() }
            for await _ in gate.full {}
            try Task.checkCancellation()
            return ((.now - start).inSeconds, MachineGauge.resident())
        }
        results.add(Double(plan.inFlight) / seconds, to: .started)
        // Of the first run only: later ones use again what it gave back to the allocator and not to the machine.
        if let before, let resident, results[.memory] == nil {
            results.add(Double(resident), to: .memory)
            results.add(Double(max(0, resident - before)) / Double(plan.inFlight), to: .memoryPerJob)
        }
        try await clear(of)
    }

    /// Has a worker work until the body is done.
    private func during<Value: Sendable>(
        _ worker: Worker, _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask {
                try await worker.run()
                return nil
            }
            group.addTask { try await body() }
            let first = try await group.next() ?? nil
            group.cancelAll()
            // Whoever was told to stop has ended before the jobs go from under it.
            while try await group.next() != nil {}
            try Task.checkCancellation()
            guard let first else { throw Failure(.failed, "the worker ended before its jobs did") }
            return first
        }
    }
}

/// Hands out numbers.
private final class BenchCounter: Sendable {
    private let next = Atomic<Int>(0)

    /// - Returns: nil: enough.
    func take(below limit: Int) -> Int? {
        let number = next.wrappingAdd(1, ordering: .relaxed).oldValue
        return number < limit ? number : nil
    }
}
