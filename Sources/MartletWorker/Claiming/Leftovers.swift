import MartletCore
import MartletStore

/// What a drained worker leaves behind, of all kinds.
package struct Leftovers: Sendable, Equatable {
    /// Jobs that wait for a later time.
    package let later: Int
    /// Jobs that are available, but whose queue is paused, by queue: of the queues that the worker takes from.
    package let paused: [String: Int]

    init(_ stats: StoreStats, queues: [String]?) {
        later = (stats.counts[.scheduled] ?? 0) + (stats.counts[.retryable] ?? 0)
        paused = stats.paused.filter { queues?.contains($0.key) ?? true }
    }
}
