import CMartletLinux
import Dispatch
import Foundation
import Glibc
import MartletCore
import MartletStore
import Synchronization

/// The lock file beside the database, by which all processes of Martlet take turns.
///
/// SQLite's own write lock is polled for with growing pauses, so under contention some process waits for seconds and
/// gives up. Here a writer sleeps in the kernel until it is its turn. Two bytes make that fair: whoever wants to write
/// takes `next`, then waits for `turn`, and gives `next` back. A writer that just finished meets `next` taken by the one
/// that waits, and cannot overtake it.
///
/// Checkpoints happen under the same turn, which also keeps clear of the WAL-reset bug of SQLite 3.7.0–3.51.2
/// (https://sqlite.org/wal.html, "The WAL-Reset Bug"): it needs a writer and a checkpoint at the same moment.
///
/// Each live worker also holds one byte of its own; see ``Liveness``.
final class WriteLock: Sendable {
    private let path: String
    private let descriptor: Int32

    private static let next: Int64 = 0
    private static let turn: Int64 = 1
    /// Held by nobody, ever: asks whether the file system knows such locks at all.
    private static let trial: Int64 = 2
    private static let beacons: Int64 = 1 << 10

    init(path: String) throws(StoreError) {
        self.path = path
        descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            let reason = String(cString: strerror(errno))
            throw StoreError(
                .unusable,
                "cannot open the lock file \(path): \(reason); the database's directory must be writable, also for reading jobs"
            )
        }
        let code = martlet_probe_byte(descriptor, Self.trial)
        guard code == 0 else {
            Glibc.close(descriptor)
            let reason = String(cString: strerror(code))
            throw StoreError(.unusable, "\(path) cannot be locked: \(reason); keep the database on a local file system")
        }
    }

    deinit { Glibc.close(descriptor) }

    /// - Returns: false when another process has its turn.
    func tryTake() -> Bool {
        guard martlet_try_lock_byte(descriptor, Self.next) == 0 else { return false }
        let taken = martlet_try_lock_byte(descriptor, Self.turn) == 0
        check(martlet_unlock_byte(descriptor, Self.next))
        return taken
    }

    /// Sleeps until it is our turn.
    func take() {
        check(martlet_lock_byte(descriptor, Self.next))
        check(martlet_lock_byte(descriptor, Self.turn))
        check(martlet_unlock_byte(descriptor, Self.next))
    }

    /// For callers that must not wait for ever.
    /// - Returns: whether it became our turn in time.
    func take(within limit: Duration) -> Bool {
        if tryTake() { return true }
        enum Wait { case waiting, taken, givenUp }
        let state = Mutex(Wait.waiting)
        let taken = DispatchSemaphore(value: 0)
        Thread.detachNewThread { [self] in
            take()
            let isTooLate = state.withLock { state in
                guard state == .waiting else { return true }
                state = .taken
                return false
            }
            if isTooLate { release() } else { taken.signal() }
        }
        if taken.wait(timeout: .now() + limit.inSeconds) == .success { return true }
        return state.withLock { state in
            guard state == .waiting else { return true }
            state = .givenUp
            return false
        }
    }

    func release() { check(martlet_unlock_byte(descriptor, Self.turn)) }

    func tryHold(beacon: Int64) -> Bool { martlet_try_lock_byte(descriptor, Self.beacons + beacon) == 0 }

    func letGo(beacon: Int64) { check(martlet_unlock_byte(descriptor, Self.beacons + beacon)) }

    /// Whether another opening of the file holds the beacon; also when nobody can tell, because the file was replaced.
    func isHeldElsewhere(beacon: Int64) -> Bool {
        !isCurrent || martlet_probe_byte(descriptor, Self.beacons + beacon) != 0
    }

    /// Somebody may have deleted the lock file; those who came later then lock another one.
    private var isCurrent: Bool {
        var ours = stat()
        var theirs = stat()
        return fstat(descriptor, &ours) == 0 && stat(path, &theirs) == 0 && ours.st_ino == theirs.st_ino
    }

    private func check(_ code: Int32) {
        // Only a file system without locks, or a kernel out of lock memory, gets here; going on would corrupt.
        precondition(code == 0, "the lock file cannot be locked: \(String(cString: strerror(code)))")
    }
}
