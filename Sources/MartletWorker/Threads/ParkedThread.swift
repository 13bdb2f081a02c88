import CMartletLinux
import Glibc
import MartletCore

/// Where one thread sleeps.
///
/// A semaphore of our own, because Dispatch waits until a time of day on Linux, and whoever sets the clock back makes that
/// longer.
///
/// `@unchecked`: the pointer never changes, and what it points to is made for any number of threads at a time.
final class ParkedThread: @unchecked Sendable {
    let number: Int
    private let semaphore: UnsafeMutablePointer<sem_t>

    init(number: Int) {
        self.number = number
        semaphore = .allocate(capacity: 1)
        sem_init(semaphore, 0, 0)
    }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    func signal() { sem_post(semaphore) }

    func wait() { while sem_wait(semaphore) != 0 {} }

    /// - Returns: false when nobody gave a signal within that time.
    func wait(atMost time: Duration) -> Bool { martlet_wait_semaphore(semaphore, max(time.nanoseconds, 0)) == 0 }
}
