import MartletStore
import Synchronization

/// What the store's errors mean to the worker: one that will pass is waited out, with one event per outage; any other ends it.
///
/// An outage is over when every kind of call that failed has succeeded again: on a full disk all that find nothing to write
/// succeed, and so may a small write, and they say nothing about the others.
final class StoreAccess: Sendable {
    enum Call {
        case remember, register, heartbeat, claim, settle, promote, recover, retain, deregister, progress

        /// These cannot succeed without having written, so their success speaks for the calls that are not due for long:
        /// nobody claims while all slots are taken.
        var provesAll: Bool {
            switch self {
            case .register, .settle: true
            case .remember, .heartbeat, .claim, .promote, .recover, .retain, .deregister, .progress: false
            }
        }
    }

    private let herald: Herald
    /// The first look at it costs no lock, so it can stand on hot paths.
    private let isAway = Atomic(false)
    private let failing = Mutex<Set<Call>>([])
    private let fail: @Sendable (StoreError) -> Void

    init(herald: Herald, fail: @escaping @Sendable (StoreError) -> Void) {
        self.herald = herald
        self.fail = fail
    }

    /// A call failed, and none has shown since that it would succeed now.
    var isOut: Bool { isAway.load(ordering: .relaxed) }

    func succeeded(_ call: Call) {
        guard isAway.load(ordering: .relaxed) else { return }
        let isOver = failing.withLock { failing in
            failing.remove(call)
            if call.provesAll { failing = [] }
            guard failing.isEmpty else { return false }
            return isAway.exchange(false, ordering: .relaxed)
        }
        if isOver { herald.tell(.storeAvailable) }
    }

    /// - Returns: whether to try again later.
    func failed(_ error: StoreError, _ call: Call) -> Bool {
        guard error.isTransient else {
            fail(error)
            return false
        }
        let isNew = failing.withLock { failing in
            failing.insert(call)
            return !isAway.exchange(true, ordering: .relaxed)
        }
        if isNew { herald.tell(.storeUnavailable(error)) }
        return true
    }
}
