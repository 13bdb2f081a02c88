import MartletCore
import MartletSQLite
import Synchronization

/// The machine's clocks, set forward by the test.
package final class ManualStoreClock: StoreClock {
    private let system = SystemStoreClock()
    private let offset = Mutex(Duration.zero)
    private let wallOffset = Mutex(Duration.zero)

    package init() {}

    @Sendable package func advance(by duration: Duration) { offset.withLock { $0 += duration } }

    /// Sets the wall clock alone, as an administrator or NTP would.
    package func setWall(by duration: Duration) { wallOffset.withLock { $0 += duration } }

    package func now() -> Timestamp { system.now() + offset.withLock { $0 } + wallOffset.withLock { $0 } }

    package func sinceBoot() -> Int64 {
        let offset = offset.withLock { $0 }
        return system.sinceBoot() + Int64(offset / .milliseconds(1))
    }

    package func bootID() -> String { system.bootID() }
}
