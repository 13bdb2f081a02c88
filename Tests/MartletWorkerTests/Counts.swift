import Synchronization

/// How many are at it now, and were at most.
final class Counts: Sendable {
    private let state = Mutex((now: 0, most: 0))

    var now: Int { state.withLock { $0.now } }
    var most: Int { state.withLock { $0.most } }

    func begin() {
        state.withLock {
            $0.now += 1
            $0.most = max($0.most, $0.now)
        }
    }

    func end() { state.withLock { $0.now -= 1 } }
}
