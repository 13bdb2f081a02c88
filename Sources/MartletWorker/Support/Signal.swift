import Synchronization

/// Wakes waiting tasks. Raising it while nobody waits makes the next wait return at once; raising it twice is raising it
/// once. Waits end on their own after their timeout, and do not look at task cancellation.
final class Signal: Sendable {
    private struct Wait {
        let continuation: CheckedContinuation<Bool, Never>
        let until: Moment
    }

    private struct State {
        var isRaised = false
        var waiting: [Int: Wait] = [:]
        var lastWait = 0
        var sleepers = Sleepers()

        mutating func take() -> Bool {
            defer { isRaised = false }
            return isRaised
        }
    }

    private let state = Mutex(State())

    /// Tasks that sleep on behalf of waits, also of such that have ended.
    var sleepers: Int { state.withLock { $0.sleepers.count } }

    func raise() {
        let waiting = state.withLock { state in
            state.isRaised = state.waiting.isEmpty
            defer { state.waiting = [:] }
            return state.waiting
        }
        for wait in waiting.values { wait.continuation.resume(returning: true) }
    }

    /// - Returns: whether it was raised, rather than the time was up.
    @discardableResult
    func wait(atMost timeout: Duration) async -> Bool {
        guard timeout > .zero else { return state.withLock { $0.take() } }
        let until = Moment.now + timeout
        return await withCheckedContinuation { continuation in
            let (isRaised, wantsSleeper) = state.withLock { state in
                if state.take() { return (true, false) }
                state.lastWait += 1
                state.waiting[state.lastWait] = Wait(continuation: continuation, until: until)
                return (false, state.sleepers.wants(until))
            }
            if isRaised { continuation.resume(returning: true) }
            if wantsSleeper { sleep(until: until) }
        }
    }

    private func sleep(until: Moment) {
        Task.detached { [weak self] in
            // Throws only when it is cancelled, which nobody does.
            do { try await Task.sleep(for: until - .now) } catch { return }
            self?.woke(until)
        }
    }

    /// Ends the waits whose time is up, and sleeps on for the others.
    private func woke(_ moment: Moment) {
        let (expired, next) = state.withLock { state in
            state.sleepers.woke(moment)
            let now = Moment.now
            let expired = state.waiting.filter { $0.value.until <= now }
            for number in expired.keys { state.waiting[number] = nil }
            let next = state.waiting.values.map(\.until).min()
            return (expired.values, next.flatMap { state.sleepers.wants($0) ? $0 : nil })
        }
        for wait in expired { wait.continuation.resume(returning: false) }
        if let next { sleep(until: next) }
    }
}

/// When those wake that sleep on behalf of others. A sleep that is cancelled stays with the runtime until it would have ended, so
/// one for each wait would pile up where waits are many and mostly end early (300 a second for up to an hour each: 3 MB a
/// minute). So none is cancelled, and one begins only when no other wakes in time.
struct Sleepers {
    /// The earliest last; each began because the others would wake too late.
    private var wakes: [Moment] = []

    var count: Int { wakes.count }

    /// - Returns: whether one is to begin that wakes then.
    mutating func wants(_ moment: Moment) -> Bool {
        if let earliest = wakes.last, earliest <= moment { return false }
        wakes.append(moment)
        return true
    }

    mutating func woke(_ moment: Moment) {
        if let index = wakes.lastIndex(of: moment) { wakes.remove(at: index) }
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
