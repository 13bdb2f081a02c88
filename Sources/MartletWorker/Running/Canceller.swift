import CMartletLinux
import Foundation
import MartletCore
import Synchronization

/// Cancels the tasks of runs, from threads that have nothing else to do.
///
/// Cancelling a task calls what its handler left for that moment (`onCancel` of `withTaskCancellationHandler`), on the thread
/// that cancels: code of users, which may take a lock or a file's time. On the thread that renews leases or watches timeouts it
/// would hold up both. Here it can hold up other cancellations, for a moment: where one takes long, another thread goes on.
/// Threads begin with the first thing to do and end after the last.
final class Canceller: Sendable {
    private struct State {
        var waiting: [Slot] = []
        var head = 0
        var threads = 0
        /// Since when nobody has taken anything, while something waited.
        var takenAt = Moment.now

        mutating func take() -> Slot? {
            guard head < waiting.count else {
                waiting.removeAll()
                head = 0
                return nil
            }
            defer { head += 1 }
            takenAt = .now
            return waiting[head]
        }
    }

    /// After this time without progress another thread takes part.
    static let patience: Duration = .milliseconds(50)
    /// So many may be blocked. What waits behind them is written off by the watch all the same.
    static let most = 64

    private let state = Mutex(State())

    /// Returns at once.
    func cancel(_ slots: [Slot]) {
        guard !slots.isEmpty else { return }
        let isFirst = state.withLock { state in
            state.waiting += slots
            guard state.threads == 0 else { return false }
            state.threads = 1
            state.takenAt = .now
            return true
        }
        if isFirst { start() }
    }

    /// Looks whether something waits behind what takes long.
    func look(now: Moment) {
        let isStuck = state.withLock { state in
            guard state.head < state.waiting.count, state.threads < Self.most, now >= state.takenAt + Self.patience else {
                return false
            }
            state.threads += 1
            state.takenAt = now
            return true
        }
        if isStuck { start() }
    }

    private func start() {
        let thread = Thread { [self] in
            martlet_name_thread("martlet-cancel")
            while let slot = next() { slot.cancel() }
        }
        thread.start()
    }

    private func next() -> Slot? {
        state.withLock { state in
            if let slot = state.take() { return slot }
            state.threads -= 1
            return nil
        }
    }
}
