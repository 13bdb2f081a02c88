import MartletCore

package struct JobQuery: Sendable, Equatable {
    /// nil: all states.
    package var state: JobState?
    package var filter: JobFilter
    package var limit: Int
    /// The cursor of the last job seen; nil starts with the newest.
    package var after: Int64?

    package init(state: JobState? = nil, filter: JobFilter = JobFilter(), limit: Int = 50, after: Int64? = nil) {
        self.state = state
        self.filter = filter
        self.limit = limit
        self.after = after
    }
}

package struct JobPage: Sendable {
    package let jobs: [JobSummary]
    /// Cursor of the next page; nil when this is the last.
    package let next: Int64?

    package init(jobs: [JobSummary], next: Int64?) {
        self.jobs = jobs
        self.next = next
    }
}

/// One job as a listing shows it.
package struct JobSummary: Sendable {
    package let id: JobID
    package let kind: String
    package let queue: String
    package let priority: Priority
    package let state: JobState
    /// Number of the attempt that runs or ran last; 0 before the first.
    package let attempt: Int
    package let maxAttempts: Int
    package let enqueuedAt: Timestamp
    /// When it is due, or was when it is no longer waiting; nil when it was due from the start.
    package let runAt: Timestamp?
    package let startedAt: Timestamp?
    package let finishedAt: Timestamp?
    /// Name of the worker that has it, or had it last.
    package let worker: String?
    package let args: JSONText
    /// The last error, also while it waits for another attempt.
    package let error: AttemptError?
    /// It runs, and a person asked it to stop.
    package let cancelRequested: Bool
    /// How far it is, while it runs and says so.
    package let progress: ProgressReport?
    /// Where the listing goes on after this job.
    package let cursor: Int64

    package init(
        id: JobID, kind: String, queue: String, priority: Priority, state: JobState, attempt: Int, maxAttempts: Int,
        enqueuedAt: Timestamp, runAt: Timestamp?, startedAt: Timestamp?, finishedAt: Timestamp?, worker: String?,
        args: JSONText, error: AttemptError?, cancelRequested: Bool, progress: ProgressReport? = nil, cursor: Int64
    ) {
        self.id = id
        self.kind = kind
        self.queue = queue
        self.priority = priority
        self.state = state
        self.attempt = attempt
        self.maxAttempts = maxAttempts
        self.enqueuedAt = enqueuedAt
        self.runAt = runAt
        self.startedAt = startedAt
        self.finishedAt = finishedAt
        self.worker = worker
        self.args = args
        self.error = error
        self.cancelRequested = cancelRequested
        self.progress = progress
        self.cursor = cursor
    }
}

/// One failed attempt.
package struct AttemptError: Sendable, Equatable {
    package let attempt: Int
    package let maxAttempts: Int
    package let error: JobError
    package let startedAt: Timestamp?
    package let at: Timestamp
    package let worker: String?

    package init(
        attempt: Int, maxAttempts: Int, error: JobError, startedAt: Timestamp?, at: Timestamp, worker: String?
    ) {
        self.attempt = attempt
        self.maxAttempts = maxAttempts
        self.error = error
        self.startedAt = startedAt
        self.at = at
        self.worker = worker
    }
}

/// What one attempt took of the machine.
package struct AttemptUsage: Sendable, Equatable {
    package let attempt: Int
    /// When it ended.
    package let at: Timestamp
    package let usage: Usage

    package init(attempt: Int, at: Timestamp, usage: Usage) {
        self.attempt = attempt
        self.at = at
        self.usage = usage
    }
}

/// Until when a job may be started.
package struct JobExpiry: Sendable, Equatable {
    package let at: Timestamp
    /// By the store's clock: it waits, and when a worker comes to it, it will fail instead of being run.
    package let isOver: Bool

    package init(at: Timestamp, isOver: Bool) {
        self.at = at
        self.isOver = isOver
    }
}

/// Everything that is known of one job.
package struct JobDetail: Sendable {
    package let summary: JobSummary
    /// Why it is `failed`; nil in any other state.
    package let reason: FailureReason?
    /// The lease that holds it while it runs.
    package let lease: LeaseID?
    package let crashes: Int
    package let timeout: Duration?
    /// nil: it may start at any time.
    package let expiry: JobExpiry?
    /// Oldest first.
    package let errors: [AttemptError]
    /// Of the attempts of which something is known, oldest first.
    package let usage: [AttemptUsage]
    package let result: JSONText?

    package init(
        summary: JobSummary, reason: FailureReason?, lease: LeaseID?, crashes: Int, timeout: Duration?,
        expiry: JobExpiry? = nil, errors: [AttemptError], usage: [AttemptUsage] = [], result: JSONText?
    ) {
        self.summary = summary
        self.reason = reason
        self.lease = lease
        self.crashes = crashes
        self.timeout = timeout
        self.expiry = expiry
        self.errors = errors
        self.usage = usage
        self.result = result
    }
}

/// Failed jobs of one kind whose errors are the same but for numbers, names and addresses in them.
package struct FailureGroup: Sendable, Equatable {
    package let kind: String
    package let fingerprint: String
    package let type: String
    /// The message of one of them, as it was.
    package let message: String
    package let count: Int
    package let firstSeen: Timestamp
    package let lastSeen: Timestamp
    package let example: JobID

    package init(
        kind: String, fingerprint: String, type: String, message: String, count: Int, firstSeen: Timestamp,
        lastSeen: Timestamp, example: JobID
    ) {
        self.kind = kind
        self.fingerprint = fingerprint
        self.type = type
        self.message = message
        self.count = count
        self.firstSeen = firstSeen
        self.lastSeen = lastSeen
        self.example = example
    }
}
