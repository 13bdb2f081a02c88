import MartletCore

/// Endings that became durable since the worker started, and those that did not.
package struct WorkerTally: Sendable, Equatable {
    package var completed = 0
    package var retried = 0
    package var snoozed = 0
    package var failed = 0
    package var cancelled = 0
    /// Claimed, but not run or interrupted: uncharged.
    package var givenBack = 0
    /// Not written, because the lease had been lost.
    package var fenced = 0

    package init() {}

    package var settled: Int { completed + retried + snoozed + failed + cancelled + givenBack }

    mutating func count(_ ending: Ending) {
        switch ending {
        case .completed: completed += 1
        case .retryable, .crashed: retried += 1
        case .snoozed: snoozed += 1
        case .failed: failed += 1
        case .cancelled: cancelled += 1
        case .givenBack: givenBack += 1
        }
    }
}
