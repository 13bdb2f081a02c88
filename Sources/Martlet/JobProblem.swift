import MartletCore

/// Why there is no result of a job.
public enum JobProblem: Error, Sendable, CustomStringConvertible {
    /// There is no such job, or it ended longer ago than ended jobs are kept.
    case missing(JobID)
    /// It ended as failed or cancelled. `error` is its last one, if it ever had one.
    case ended(JobID, kind: String, JobState, error: JobError?)
    /// It had not ended when the time was up.
    case waiting(JobID, kind: String, JobState, waited: Duration)
    /// The job is of another kind than the type that was asked for.
    case otherKind(JobID, kind: String, expected: String)
    /// It is completed, and its result does not fit the type.
    case misfit(JobID, kind: String, reason: String)

    public var description: String {
        switch self {
        case .missing(let id):
            "job \(id) is not there; it may have ended longer ago than ended jobs are kept"
        case .ended(let id, let kind, let state, let error):
            "job \(id) of kind \(kind) is \(state.rawValue)" + (error.map { ": \($0.type): \($0.message)" } ?? "")
        case .waiting(let id, let kind, let state, let waited):
            "job \(id) of kind \(kind) is still \(state.rawValue) after \(waited.text)"
        case .otherKind(let id, let kind, let expected):
            "job \(id) is of kind \(kind), not \(expected)"
        case .misfit(let id, let kind, let reason):
            "the result of job \(id) of kind \(kind) does not fit: \(reason)"
        }
    }
}
