import Dispatch
import Foundation
import Logging
import MartletCore
import MartletStore
import MartletWorker
import Synchronization
import Testing

/// One worker on a scripted store, and facts to wait for.
struct Bench {
    let store = ScriptedStore()
    let events = Events()

    func worker(_ handlers: [Handler], _ configuration: WorkerConfiguration) -> WorkerService {
        WorkerService(
            store: store, handlers: handlers, configuration: configuration,
            logger: .silent,
            observer: { [events] in events.append($0) })
    }

    /// Runs a worker beside the body, and stops it afterwards.
    func run(
        _ handlers: [Handler], _ configuration: WorkerConfiguration = .quick, stop: StopMode = .graceful,
        _ body: (WorkerService) async throws -> Void
    ) async throws -> WorkerTally {
        let worker = worker(handlers, configuration)
        let task = Task { try await worker.run() }
        do {
            try await body(worker)
        } catch {
            worker.stop(.now)
            throw error
        }
        worker.stop(stop)
        try await task.value
        return worker.tally
    }

    @discardableResult
    func drain(_ handlers: [Handler], _ configuration: WorkerConfiguration = .quick) async throws -> WorkerTally {
        var configuration = configuration
        configuration.drain = true
        let worker = worker(handlers, configuration)
        try await worker.run()
        return worker.tally
    }
}

extension WorkerConfiguration {
    /// Short waits where nothing is tested about them.
    static var quick: WorkerConfiguration {
        WorkerConfiguration(name: "test", concurrency: 4, poll: .milliseconds(20), grace: .seconds(30))
    }
}

/// Everything a worker told.
final class Events: Sendable {
    private let all = Mutex<[WorkerEvent]>([])

    func append(_ event: WorkerEvent) { all.withLock { $0.append(event) } }

    func contains(_ matches: (WorkerEvent) -> Bool) -> Bool { all.withLock { $0.contains(where: matches) } }

    func count(_ matches: (WorkerEvent) -> Bool) -> Int { all.withLock { $0.count(where: matches) } }
}

/// Waits for a fact; the limit is only there so that a failure ends.
func eventually(
    within limit: Duration = .seconds(60), _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation,
    _ fact: () -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    while !fact() {
        try #require(ContinuousClock.now < deadline, what, sourceLocation: sourceLocation)
        try await Task.sleep(for: .milliseconds(1))
    }
}

/// Something handlers wait at until the test opens it. Ends with the task's cancellation unless it is deaf.
final class Gate: Sendable {
    private struct State {
        var isOpen = false
        var waiting: [Int: CheckedContinuation<Void, Never>] = [:]
        var last = 0
        var arrived = 0
        var cancelled: Set<Int> = []
    }

    private let state = Mutex(State())

    var arrived: Int { state.withLock { $0.arrived } }
    var waiting: Int { state.withLock { $0.waiting.count } }

    func open() {
        let waiting = state.withLock { state in
            state.isOpen = true
            defer { state.waiting = [:] }
            return state.waiting
        }
        for continuation in waiting.values { continuation.resume() }
    }

    func pass(deaf: Bool = false) async {
        let number = state.withLock { state in
            state.last += 1
            state.arrived += 1
            return state.last
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let passes = state.withLock { state in
                    if state.isOpen || state.cancelled.contains(number) { return true }
                    state.waiting[number] = continuation
                    return false
                }
                if passes { continuation.resume() }
            }
        } onCancel: {
            guard !deaf else { return }
            let continuation = state.withLock { state in
                state.cancelled.insert(number)
                return state.waiting.removeValue(forKey: number)
            }
            continuation?.resume()
        }
    }
}

let done: @Sendable (HandlerCall) async -> Outcome = { _ in .completed(result: nil) }

extension Logger {
    static let silent = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
}

/// Blocks threads until it is opened.
final class Blocker: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)

    func wait() {
        semaphore.wait()
        semaphore.signal()
    }

    func open() { semaphore.signal() }
}

/// A thread outside the pool.
final class Watcher: Sendable {
    private let ended = DispatchSemaphore(value: 0)

    init(_ body: @escaping @Sendable () -> Void) {
        Thread.detachNewThread { [ended] in
            body()
            ended.signal()
        }
    }

    func join() { ended.wait() }
}
