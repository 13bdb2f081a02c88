import MartletPQ
import MartletStore
import Synchronization

/// Tells listeners that there may be something new: by this process at once, by others through NOTIFY.
final class Hints: Sendable {
    private struct State {
        var listeners: [Int: AsyncStream<Void>.Continuation] = [:]
        var nextListener = 0
        /// Whether somebody else's NOTIFY arrives here.
        var hears = false
        var subscription: Task<Void, Never>?
        var echo: Task<Void, Never>?
        /// How often in a row we have looked again because of transactions in progress.
        var echoes = 0
        var isClosed = false
    }

    private let client: PQClient
    private let channel: String
    private let conninfo: Conninfo?
    private let remark: @Sendable (String) -> Void
    private let state = Mutex(State())

    /// The first look again comes after this; each one more waits twice as long.
    private static let echoDelay: Duration = .milliseconds(2)
    private static let maxEchoes = 6

    /// - Parameter remark: told when there will never be a notification.
    init(_ client: PQClient, channel: String, conninfo: Conninfo?, remark: @escaping @Sendable (String) -> Void) {
        self.client = client
        self.remark = remark
        self.channel = channel
        self.conninfo = conninfo
    }

    /// Whether it is worth a producer's while to notify.
    var isHeard: Bool { state.withLock { $0.hears && !$0.listeners.isEmpty } }

    func listen() -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let listener: Int? = state.withLock { state in
            guard !state.isClosed else { return nil }
            state.nextListener += 1
            state.listeners[state.nextListener] = continuation
            if state.subscription == nil { state.subscription = Task { [weak self] in await self?.subscribe() } }
            return state.nextListener
        }
        guard let listener else {
            continuation.finish()
            return stream
        }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { _ = $0.listeners.removeValue(forKey: listener) }
        }
        return stream
    }

    private func subscribe() async {
        for await notice in client.notifications([channel], conninfo: conninfo) {
            switch notice {
            case .listening:
                state.withLock { $0.hears = true }
                // What came before we listened may have been missed.
                announce()
            case .notification: announce()
            case .lost: state.withLock { $0.hears = false }
            case .deaf: remark(deafness)
            }
        }
    }

    private var deafness: String {
        let place = (conninfo ?? client.options.conninfo).shown
        return "\(place) is a pooler, where LISTEN means nothing: new jobs of other processes are found by polling. "
            + "Name the server's own address to listen at, or pooler=session in the URL if that is how it pools"
    }

    func announce() {
        let listeners = state.withLock { state in
            state.echoes = 0
            return Array(state.listeners.values)
        }
        for listener in listeners { listener.yield() }
    }

    /// A transaction in progress may append something although it saw nobody sleep: look again soon, a few times.
    func echo() {
        state.withLock { state in
            guard state.echo == nil, state.echoes < Self.maxEchoes, !state.isClosed, !state.listeners.isEmpty else { return }
            state.echoes += 1
            let delay = Self.echoDelay * (1 << state.echoes)
            state.echo = Task { [weak self] in
                do { try await Task.sleep(for: delay) } catch { return }
                self?.endEcho()
            }
        }
    }

    private func endEcho() {
        let listeners = state.withLock { state in
            state.echo = nil
            return Array(state.listeners.values)
        }
        for listener in listeners { listener.yield() }
    }

    /// Nothing is in progress any more, or something was found.
    func settled() { state.withLock { $0.echoes = 0 } }

    func close() {
        let (listeners, tasks) = state.withLock { state in
            state.isClosed = true
            defer { state.listeners = [:] }
            return (Array(state.listeners.values), [state.subscription, state.echo])
        }
        for task in tasks { task?.cancel() }
        for listener in listeners { listener.finish() }
    }
}
