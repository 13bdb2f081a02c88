import Dispatch
import Glibc
import MartletCore
import Synchronization

/// One child process with everything it starts: a process group of its own, that ends with it.
///
/// ```
/// waiting ──▶ running(group) ──▶ ended
///    │ terminate      │ terminate: SIGTERM, after the grace SIGKILL
///    ▼                ▼
/// doomed ───▶ (terminated as soon as it runs)
/// ```
final class Child: Sendable {
    private enum State {
        case waiting, doomed
        case running(group: pid_t)
        case ended
    }

    private let killGrace: Duration
    private let state = Mutex(State.waiting)

    init(killGrace: Duration) { self.killGrace = killGrace }

    var isDoomed: Bool {
        state.withLock { state in
            switch state {
            case .doomed: true
            case .waiting, .running, .ended: false
            }
        }
    }

    func started(group: pid_t) {
        let wasDoomed = state.withLock { state in
            defer { state = .running(group: group) }
            RunningCommands.insert(group)
            switch state {
            case .doomed: return true
            case .waiting, .running, .ended: return false
            }
        }
        if wasDoomed { terminate() }
    }

    /// Returns at once; may be called from any thread, before and after the child's life as well.
    func terminate() {
        let isRunning = state.withLock { state in
            switch state {
            case .waiting:
                state = .doomed
                return false
            case .running(let group):
                kill(-group, SIGTERM)
                return true
            case .doomed, .ended:
                return false
            }
        }
        guard isRunning else { return }
        // Not a task: it must come when handlers block the pool.
        DispatchQueue.global().asyncAfter(deadline: .now() + .nanoseconds(Int(killGrace.nanoseconds))) { [self] in
            state.withLock { state in
                if case .running(let group) = state { kill(-group, SIGKILL) }
            }
        }
    }

    /// The child itself was reaped. Whatever it left behind in its group goes too.
    ///
    /// A group's number is not given to another process while a member lives; when none does, the number would have to come
    /// round between the reaping and this line.
    func ended() {
        state.withLock { state in
            if case .running(let group) = state {
                RunningCommands.remove(group)
                kill(-group, SIGKILL)
            }
            state = .ended
        }
    }
}
