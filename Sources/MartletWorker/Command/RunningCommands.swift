import Glibc
import Synchronization

/// The process groups of all commands that run now.
///
/// They have sessions of their own, so that signals to the worker do not reach them; a worker that ends without its orderly
/// shutdown would leave them running, while their jobs begin again elsewhere.
package enum RunningCommands {
    private static let groups = Mutex<Set<pid_t>>([])

    static func insert(_ group: pid_t) { groups.withLock { _ = $0.insert(group) } }

    static func remove(_ group: pid_t) { groups.withLock { _ = $0.remove(group) } }

    /// SIGKILL to all of them. For a program that is about to end at once.
    package static func killAll() {
        groups.withLock { groups in for group in groups { kill(-group, SIGKILL) } }
    }
}
