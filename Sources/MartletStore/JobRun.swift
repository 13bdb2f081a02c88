import MartletCore

/// One time that a worker had the job, as the log still knows it.
package struct JobRun: Sendable, Equatable {
    package enum Outcome: Sendable, Equatable {
        case running, completed, retryable, snoozed, failed, cancelled, givenBack, crashed
        /// Its lease was revoked while it ran: the worker died, or left.
        case lost
    }

    /// Its number, from 1. Runs that were charged to nobody share theirs with the next one.
    package let attempt: Int
    package let startedAt: Timestamp
    /// nil: it runs.
    package let endedAt: Timestamp?
    package let worker: String?
    package let outcome: Outcome

    package init(attempt: Int, startedAt: Timestamp, endedAt: Timestamp?, worker: String?, outcome: Outcome) {
        self.attempt = attempt
        self.startedAt = startedAt
        self.endedAt = endedAt
        self.worker = worker
        self.outcome = outcome
    }
}

/// What the log tells of a job's life, oldest first: as far back as its entries are kept.
package struct JobHistory: Sendable, Equatable {
    package var runs: [JobRun] = []
    /// When a person made it available again after it had ended.
    package var retries: [Timestamp] = []

    /// Entries of one job that are looked at, the newest: a job that snoozes for ever has no end of them.
    package static let entries = 100

    package init() {}

    /// Goes through the entries one by one: each came after the one before it had ended.
    package struct Reader {
        package private(set) var history = JobHistory()
        private var canOnlyBeRetried = false

        package init() {}

        /// - Parameters:
        ///   - at: when it came due.
        ///   - run: nil: it waits, or was cancelled while it did.
        ///   - isKnown: false: whether it ran is forgotten.
        package mutating func add(at: Timestamp?, run: JobRun?, isKnown: Bool) {
            if canOnlyBeRetried, let at { history.retries.append(at) }
            if let run { history.runs.append(run) }
            // After these only a person brings a job back.
            canOnlyBeRetried =
                switch run?.outcome {
                case .failed, .cancelled: true
                case .running, .completed, .retryable, .snoozed, .givenBack, .crashed, .lost: false
                case nil: isKnown
                }
        }
    }

    /// A job that came too late has an ending, and no run.
    package func without(neverRan errors: [AttemptError]) -> JobHistory {
        guard errors.contains(where: { $0.startedAt == nil }) else { return self }
        var history = self
        history.runs.removeAll { run in run.outcome == .failed && !errors.contains { $0.startedAt == run.startedAt } }
        return history
    }
}
