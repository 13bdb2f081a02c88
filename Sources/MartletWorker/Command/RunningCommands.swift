import Glibc
import Synchronization

/// The process groups of all commands that run now.
///
/// They have sessions of their own, so that signals to the worker do not reach them; a worker that ends without its orderly
/// shutdown would leave them running, while their jobs begin again elsewhere.
package enum RunningCommands {
    private struct State {
        var groups: Set<pid_t> = []
        var isOver = false
    }

    private static let state = Mutex(State())

    static func insert(_ group: pid_t) {
        state.withLock { state in
            // It was started in the moment in which all others were ended.
            if state.isOver { kill(-group, SIGKILL) }
            state.groups.insert(group)
        }
    }

    static func remove(_ group: pid_t) { state.withLock { _ = $0.groups.remove(group) } }

    /// SIGKILL to all of them, and to those that are just being started. For a program that is about to end at once.
    package static func killAll() {
        state.withLock { state in
            state.isOver = true
            for group in state.groups { kill(-group, SIGKILL) }
        }
    }
}
