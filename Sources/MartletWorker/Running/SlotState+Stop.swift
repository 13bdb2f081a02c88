import MartletCore

extension SlotState.Stop {
    /// What a run that was told to stop is settled as; nil: not at all.
    ///
    /// A handler that was done all the same keeps its result, except after a timeout: a command that ends well on SIGTERM
    /// has not done its work, and its owner set the limit.
    func outcome(of outcome: Outcome, timeout: Duration?) -> Outcome? {
        switch self {
        case .lost:
            return nil
        case .timedOut:
            let limit = timeout.map { " after \($0.text)" } ?? ""
            return .retry(JobError(type: "timeout", message: "timed out\(limit)", detail: Self.detail(of: outcome)))
        case .cancelled:
            switch outcome {
            case .completed: return outcome
            case .retry, .snooze, .discard, .cancelled, .interrupted, .crashed: return .cancelled
            }
        case .interrupted:
            switch outcome {
            case .completed, .snooze, .discard: return outcome
            case .retry, .cancelled, .interrupted, .crashed: return .interrupted
            }
        }
    }

    /// What a handler said last may tell where it hung.
    private static func detail(of outcome: Outcome) -> String? {
        switch outcome {
        case .retry(let error, _), .discard(let error), .crashed(let error): error.detail
        case .completed, .snooze, .cancelled, .interrupted: nil
        }
    }
}
