import Glibc
import Synchronization

/// All child processes that run now.
///
/// They end with the worker in any case, since their supervisors see it go; this is for the moment before.
package enum RunningCommands {
    private struct State {
        var children: [ObjectIdentifier: ChildProcess] = [:]
        var isOver = false
    }

    private static let state = Mutex(State())

    static func insert(_ child: ChildProcess) {
        let isOver = state.withLock { state in
            state.children[ObjectIdentifier(child)] = child
            return state.isOver
        }
        // It was started in the moment in which all others were ended.
        if isOver { child.kill() }
    }

    static func remove(_ child: ChildProcess) {
        state.withLock { _ = $0.children.removeValue(forKey: ObjectIdentifier(child)) }
    }

    /// SIGKILL to all of them, and to those that are just being started. For a program that is about to end at once.
    package static func killAll() {
        let children = state.withLock { state in
            state.isOver = true
            return Array(state.children.values)
        }
        for child in children { child.kill() }
    }
}
