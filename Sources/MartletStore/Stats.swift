import MartletCore

package struct StoreStats: Sendable, Equatable {
    /// Every state is there, zero or not.
    package let counts: [JobState: Int]
    /// How long the job that has been available longest has waited; nil when none is.
    package let oldestAvailable: Duration?
    /// How many are available in each paused queue that holds any.
    package let paused: [String: Int]

    package init(counts: [JobState: Int], oldestAvailable: Duration?, paused: [String: Int] = [:]) {
        self.counts = counts
        self.oldestAvailable = oldestAvailable
        self.paused = paused
    }
}

/// One kind in one queue.
package struct QueueSummary: Sendable, Equatable {
    package let queue: String
    package let kind: String
    package let counts: [JobState: Int]
    package let oldestAvailable: Duration?
    /// Live workers that take this kind from this queue.
    package let workers: Int
    /// Nothing of the queue is handed out.
    package let isPaused: Bool

    package init(
        queue: String, kind: String, counts: [JobState: Int], oldestAvailable: Duration?, workers: Int,
        isPaused: Bool = false
    ) {
        self.queue = queue
        self.kind = kind
        self.counts = counts
        self.oldestAvailable = oldestAvailable
        self.workers = workers
        self.isPaused = isPaused
    }
}

/// How long ended jobs are kept.
package struct RetentionPolicy: Sendable, Equatable {
    package var completed: Duration
    /// Failed and cancelled ones.
    package var failed: Duration

    package init(completed: Duration = .seconds(86_400), failed: Duration = .seconds(30 * 86_400)) {
        self.completed = completed
        self.failed = failed
    }
}

/// One finding of `martlet doctor`.
package struct Finding: Sendable, Equatable {
    package enum Level: String, Sendable, Comparable {
        case ok, note, warning, problem

        package static func < (a: Level, b: Level) -> Bool { a.rank < b.rank }

        private var rank: Int {
            switch self {
            case .ok: 0
            case .note: 1
            case .warning: 2
            case .problem: 3
            }
        }
    }

    /// What was looked at: `schema`, `integrity`, `disk`.
    package let check: String
    package let level: Level
    /// What was found, and what to do where something is wrong.
    package let message: String

    package init(_ check: String, _ level: Level, _ message: String) {
        self.check = check
        self.level = level
        self.message = message
    }
}

extension Finding {
    /// - Parameter waiting: jobs past their expiry that still wait, per queue and kind.
    package static func expired(_ waiting: [(queue: String, kind: String, count: Int)]) -> Finding {
        guard !waiting.isEmpty else { return Finding("expired", .ok, "no job waits past its expiry") }
        let jobs = waiting.map { "\($0.count) of \($0.kind) in \($0.queue)" }.joined(separator: ", ")
        return Finding(
            "expired", .warning,
            "too late to be run: \(jobs); each fails as expired when a worker comes to it, so see that there are enough of them"
        )
    }
}
