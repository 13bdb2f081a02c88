import MartletCore
import MartletSQLite
import Synchronization

/// The time of a ``TestQueue``: it stands still until the test moves it.
public final class TestClock: Sendable, StoreClock {
    private struct Hands {
        var wall: Timestamp
        /// Leases are counted by another clock, which only runs when a lease shall end.
        var lease: Int64
    }

    private let hands: Mutex<Hands>

    /// - Parameter start: nil: the machine's time.
    public init(start: Timestamp? = nil) {
        let system = SystemStoreClock()
        hands = Mutex(Hands(wall: start ?? system.now(), lease: system.sinceBoot()))
    }

    public func now() -> Timestamp { hands.withLock { $0.wall } }

    /// - Precondition: time does not go back.
    public func advance(by duration: Duration) {
        precondition(duration >= .zero, "time does not go back")
        hands.withLock { $0.wall = $0.wall + duration }
    }

    func expireLeases(of duration: Duration) { hands.withLock { $0.lease += Int64(duration / .milliseconds(1)) + 1 } }

    package func sinceBoot() -> Int64 { hands.withLock { $0.lease } }

    package func bootID() -> String { "test" }
}
