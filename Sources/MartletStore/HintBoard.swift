import Synchronization

/// Those who want to be told that there may be something new.
///
/// They are called from the thread that hears of it, not through a stream and a task: between a job's commit and the claim that
/// takes it every thread that has to wake up first costs as much as the claim.
package final class HintBoard: Sendable {
    private struct Listener {
        let tell: @Sendable () -> Void
        let ended: @Sendable () -> Void
    }

    private struct State {
        var listeners: [Int: Listener] = [:]
        var last = 0
        var isClosed = false
    }

    private let state = Mutex(State())

    package init() {}

    package var isEmpty: Bool { state.withLock { $0.listeners.isEmpty } }

    /// - Parameters:
    ///   - tell: called for every hint; passes it on and does nothing else.
    ///   - ended: called once, when there will be no more.
    package func listen(
        _ tell: @escaping @Sendable () -> Void, ended: @escaping @Sendable () -> Void = {}
    ) -> HintWatch {
        let number: Int? = state.withLock { state in
            guard !state.isClosed else { return nil }
            state.last += 1
            state.listeners[state.last] = Listener(tell: tell, ended: ended)
            return state.last
        }
        guard let number else {
            ended()
            return HintWatch {}
        }
        return HintWatch { [weak self] in self?.state.withLock { _ = $0.listeners.removeValue(forKey: number) } }
    }

    package func announce() {
        let listeners = state.withLock { Array($0.listeners.values) }
        for listener in listeners { listener.tell() }
    }

    package func close() {
        let listeners = state.withLock { state in
            state.isClosed = true
            defer { state.listeners = [:] }
            return Array(state.listeners.values)
        }
        for listener in listeners { listener.ended() }
    }
}

/// Ends by itself when nobody holds it any more.
package final class HintWatch: Sendable {
    private let stop: @Sendable () -> Void

    package init(_ stop: @escaping @Sendable () -> Void) { self.stop = stop }

    deinit { stop() }

    /// Can be called again.
    package func end() { stop() }
}

extension JobStore {
    /// An element whenever there may be new work; elements that nobody waited for are one. Ends when the store closes.
    package func hints() -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let watch = onHint({ continuation.yield() }, ended: { continuation.finish() })
        continuation.onTermination = { _ in watch.end() }
        return stream
    }
}
