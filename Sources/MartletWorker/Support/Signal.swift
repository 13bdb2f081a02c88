import Synchronization

/// Wakes waiting tasks. Raising it while nobody waits makes the next wait return at once; raising it twice is raising it
/// once. Waits end on their own after their timeout, and do not look at task cancellation.
final class Signal: Sendable {
    private struct State {
        var isRaised = false
        var waiting: [Int: CheckedContinuation<Bool, Never>] = [:]
        var lastWait = 0

        mutating func take() -> Bool {
            defer { isRaised = false }
            return isRaised
        }
    }

    private let state = Mutex(State())

    func raise() {
        let waiting = state.withLock { state in
            state.isRaised = state.waiting.isEmpty
            defer { state.waiting = [:] }
            return state.waiting
        }
        for continuation in waiting.values { continuation.resume(returning: true) }
    }

    /// - Returns: whether it was raised, rather than the time was up.
    @discardableResult
    func wait(atMost timeout: Duration) async -> Bool {
        guard timeout > .zero else { return state.withLock { $0.take() } }
        let timer = Mutex<Task<Void, Never>?>(nil)
        let isRaised = await withCheckedContinuation { continuation in
            let number: Int? = state.withLock { state in
                if state.take() { return nil }
                state.lastWait += 1
                state.waiting[state.lastWait] = continuation
                return state.lastWait
            }
            guard let number else { return continuation.resume(returning: true) }
            let task = Task.detached { [self] in
                // Throws only when cancelled, which is how a wait that ended earlier lets go of its timer.
                guard (try? await Task.sleep(for: timeout)) != nil else { return }
                expire(number)
            }
            timer.withLock { $0 = task }
        }
        timer.withLock { $0 }?.cancel()
        return isRaised
    }

    private func expire(_ number: Int) {
        state.withLock { $0.waiting.removeValue(forKey: number) }?.resume(returning: false)
    }
}

extension Task where Failure == Never {
    /// Waits for the task's end, but not longer than the limit. The task goes on either way.
    func ends(within limit: Duration) async -> Bool {
        let ended = Signal()
        let watcher = Task<Void, Never>.detached {
            _ = await self.value
            ended.raise()
        }
        defer { watcher.cancel() }
        return await ended.wait(atMost: limit)
    }
}
