import MartletStore
import Synchronization

/// What the store's errors mean to the worker: one that will pass is waited out, with one event per outage; any other ends it.
final class StoreAccess: Sendable {
    private let herald: Herald
    private let isAway = Atomic(false)
    private let fail: @Sendable (StoreError) -> Void

    init(herald: Herald, fail: @escaping @Sendable (StoreError) -> Void) {
        self.herald = herald
        self.fail = fail
    }

    func succeeded() {
        // The first look costs no write, so it can stand on hot paths.
        guard isAway.load(ordering: .relaxed), isAway.exchange(false, ordering: .relaxed) else { return }
        herald.tell(.storeAvailable)
    }

    /// - Returns: whether to try again later.
    func failed(_ error: StoreError) -> Bool {
        guard error.isTransient else {
            fail(error)
            return false
        }
        if !isAway.exchange(true, ordering: .relaxed) { herald.tell(.storeUnavailable(error)) }
        return true
    }
}
