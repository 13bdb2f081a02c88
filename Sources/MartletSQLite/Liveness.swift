import MartletCore
import MartletStore
import Synchronization

/// Who lives. A worker is dead when it has been silent for longer than its lease, and at once when its process is gone:
/// each registration has a byte of the lock file, its beacon, which the kernel lets go of with the process.
///
/// The beacon is a random number and not the worker's id: an id whose registration was rolled back is given out again.
final class Liveness: Sendable {
    let clock: any StoreClock
    private let lock: WriteLock
    /// Held by this store itself, which asking the kernel would not show.
    private let own = Mutex<Set<Int64>>([])

    init(lock: WriteLock, clock: any StoreClock) {
        self.lock = lock
        self.clock = clock
    }

    /// Lights a beacon. Never waits: one that somebody else holds is left alone for another.
    func begin() -> Int64 {
        while true {
            let beacon = Int64.random(in: 1..<(1 << 40))
            let isNew = own.withLock { $0.insert(beacon).inserted }
            if isNew && lock.tryHold(beacon: beacon) { return beacon }
            if isNew { own.withLock { _ = $0.remove(beacon) } }
        }
    }

    func end(_ beacon: Int64) {
        guard own.withLock({ $0.remove(beacon) }) != nil else { return }
        lock.letGo(beacon: beacon)
    }

    /// - Parameter isExpired: silent for longer than its lease, or of an earlier boot of the machine.
    func isDead(beacon: Int64, isExpired: Bool) -> Bool {
        if isExpired { return true }
        return !own.withLock { $0.contains(beacon) } && !lock.isHeldElsewhere(beacon: beacon)
    }
}
