import MartletCore
import MartletStore

/// Everything that is known of one job.
public struct JobStatus: Sendable {
    public let id: JobID
    public let kind: String
    public let queue: String
    public let priority: Priority
    public let state: JobState
    /// Why it is ``JobState/failed``; nil in any other state.
    public let reason: FailureReason?
    /// Number of the attempt that runs or ran last; 0 before the first.
    public let attempt: Int
    public let maxAttempts: Int
    public let enqueuedAt: Timestamp
    /// When it is due, or was when it is no longer waiting; nil when it was due from the start.
    public let runAt: Timestamp?
    public let startedAt: Timestamp?
    public let finishedAt: Timestamp?
    /// Name of the worker that has it, or had it last.
    public let worker: String?
    public let args: JSONText
    /// 0 to 1: how far it is, while it runs and says so.
    public let progress: Double?
    public let progressNote: String?
    /// One for each attempt that failed, oldest first.
    public let errors: [FailedAttempt]
    /// What its run returned, where it is `Encodable`.
    public let result: JSONText?

    init(_ job: JobDetail) {
        let summary = job.summary
        id = summary.id
        kind = summary.kind
        queue = summary.queue
        priority = summary.priority
        state = summary.state
        reason = job.reason
        attempt = summary.attempt
        maxAttempts = summary.maxAttempts
        enqueuedAt = summary.enqueuedAt
        runAt = summary.runAt
        startedAt = summary.startedAt
        finishedAt = summary.finishedAt
        worker = summary.worker
        args = summary.args
        progress = summary.progress?.fraction
        progressNote = summary.progress?.note
        errors = job.errors.map(FailedAttempt.init)
        result = job.result
    }
}

/// What went wrong in one attempt of a job.
public struct FailedAttempt: Sendable, Equatable {
    /// From 1.
    public let attempt: Int
    public let error: JobError
    public let startedAt: Timestamp?
    public let at: Timestamp
    public let worker: String?

    init(_ error: AttemptError) {
        attempt = error.attempt
        self.error = error.error
        startedAt = error.startedAt
        at = error.at
        worker = error.worker
    }
}
