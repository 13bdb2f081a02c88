import MartletCore
import Synchronization

/// Looks at the process's memory each second, from a thread of its own.
final class MemoryWatch: Sendable {
    private let beat = Beat()
    private let guarding: Mutex<MemoryGuard>
    private let hasWorked: @Sendable () -> Bool
    private let exceeded: @Sendable (MemoryExceeded) -> Void

    /// - Parameter exceeded: called once.
    init(limit: Int, hasWorked: @escaping @Sendable () -> Bool, exceeded: @escaping @Sendable (MemoryExceeded) -> Void) {
        guarding = Mutex(MemoryGuard(limit: limit))
        self.hasWorked = hasWorked
        self.exceeded = exceeded
    }

    func start() {
        beat.start(name: "martlet-memory") { [self] in
            guard let resident = MachineGauge.resident() else { return .seconds(1) }
            let hasWorked = hasWorked()
            guard let excess = guarding.withLock({ $0.check(resident: resident, hasWorked: hasWorked, now: .now) }) else {
                return .seconds(1)
            }
            exceeded(excess)
            return nil
        }
    }

    func stop() { beat.stop() }
}
