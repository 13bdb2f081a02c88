import MartletCore
import MartletStore
import Synchronization

/// Orders to stop: the first begins it, a more urgent one hurries it. The first failure is kept.
final class Control: Sendable {
    private struct State {
        var mode: StopMode?
        var failure: StoreError?
        var excess: MemoryExceeded?
    }

    private let state = Mutex(State())
    private let ordered = Signal()
    /// Raised by every order, and by the floor when nothing runs: whoever waits for the end of what runs waits for both.
    let hurried = Signal()

    var mode: StopMode? { state.withLock { $0.mode } }
    /// nil also when a person asked for the stop after all.
    var excess: MemoryExceeded? { state.withLock { $0.excess } }
    var failure: StoreError? { state.withLock { $0.failure } }

    func stop(_ mode: StopMode) {
        state.withLock { state in
            state.mode = max(state.mode ?? mode, mode)
            state.excess = nil
        }
        raise()
    }

    /// A graceful stop, unless one is under way: who was told to stop shall not begin anew.
    func recycle(_ excess: MemoryExceeded) -> Bool {
        let isFirst = state.withLock { state in
            guard state.mode == nil else { return false }
            state.mode = .graceful
            state.excess = excess
            return true
        }
        if isFirst { raise() }
        return isFirst
    }

    func fail(_ error: StoreError) {
        state.withLock { state in
            state.failure = state.failure ?? error
            state.mode = .now
        }
        raise()
    }

    private func raise() {
        ordered.raise()
        hurried.raise()
    }

    /// Waits for the first order.
    func order() async -> StopMode {
        while true {
            if let mode { return mode }
            await ordered.wait(atMost: .seconds(3_600))
        }
    }
}
