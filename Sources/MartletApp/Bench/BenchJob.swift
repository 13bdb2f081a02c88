import Martlet
import MartletStore
import Synchronization

/// Does nothing. About 100 bytes of JSON, as many jobs have.
struct BenchJob: Job, Codable {
    static let kind = BenchName.kind
    static let timeout: Duration? = nil
    /// Of this process, ever.
    static let runs = Atomic<Int>(0)

    var number: Int
    var recipient = "somebody@example.com"
    var subject = "Your order has been shipped and will arrive soon"

    init(number: Int) { self.number = number }

    func run(_ context: JobContext) async throws { Self.runs.wrappingAdd(1, ordering: .relaxed) }
}

/// Says when which run began.
struct BenchArrivals: Middleware {
    let stream: AsyncStream<(number: Int, at: ContinuousClock.Instant)>
    private let continuation: AsyncStream<(number: Int, at: ContinuousClock.Instant)>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream() }

    func run<J: Job>(
        _ job: J, context: JobContext, next: @escaping @Sendable () async throws -> J.Output
    ) async throws -> J.Output {
        if let job = job as? BenchJob { continuation.yield((job.number, .now)) }
        return try await next()
    }
}

/// Holds runs until a number of them wait, and then until it is opened.
final class BenchGate: Middleware {
    private struct State {
        var waiting: [CheckedContinuation<Void, Never>] = []
        var isOpen = false
    }

    /// Ends when so many wait.
    let full: AsyncStream<Never>
    private let signal: AsyncStream<Never>.Continuation
    private let count: Int
    private let state = Mutex(State())

    init(count: Int) {
        self.count = count
        (full, signal) = AsyncStream.makeStream()
    }

    func run<J: Job>(
        _ job: J, context: JobContext, next: @escaping @Sendable () async throws -> J.Output
    ) async throws -> J.Output {
        await withCheckedContinuation { continuation in
            let (isOpen, isFull) = state.withLock { state in
                if !state.isOpen { state.waiting.append(continuation) }
                return (state.isOpen, state.waiting.count == count)
            }
            if isOpen { continuation.resume() }
            if isFull { signal.finish() }
        }
        return try await next()
    }

    func open() {
        let waiting = state.withLock { state in
            defer { state = State(isOpen: true) }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}
