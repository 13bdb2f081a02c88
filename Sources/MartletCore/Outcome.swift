/// How one run of a handler ended. Every way a run can end becomes one of these, and only these are settled.
///
/// Errors are kept apart: room for an outcome is made before a run begins, and there may be very many that wait.
public enum Outcome: Sendable, Equatable {
    /// Done. The result is kept with the job.
    case completed(result: JSONText?)
    /// This attempt failed: try again by the retry policy, or after `delay` where the handler asked for one.
    indirect case retry(JobError, after: Duration? = nil)
    /// Not now: run again after the delay. No attempt is charged.
    case snooze(Duration)
    /// Do not try again.
    indirect case discard(JobError)
    /// The child process that ran this job alone died of it: a signal, a trap, out of memory. Run again, up to
    /// ``Limits/crashes`` times; no attempt is charged.
    indirect case crashed(JobError)
    /// A person asked for the stop.
    case cancelled
    /// The worker stopped before the handler was done, or before it began. No attempt is charged.
    case interrupted
}

/// What went wrong in one attempt, as it is kept and shown.
public struct JobError: Error, Sendable, Equatable {
    /// What kind of error: a Swift type's name, `exit`, `signal`, `timeout`, `decoding`.
    public let type: String
    /// One paragraph for a person.
    public let message: String
    /// Whatever helps to find the cause: the tail of standard error, a backtrace.
    public let detail: String?

    /// Texts are cut to ``Limits``: type and message keep their beginning, the detail its end. A NUL, which databases cannot keep,
    /// becomes its picture, ␀.
    public init(type: String, message: String, detail: String? = nil) {
        self.type = CappedText.head(Self.storable(type), bytes: Limits.errorTypeBytes)
        self.message = CappedText.head(Self.storable(message), bytes: Limits.errorMessageBytes)
        self.detail = detail.map { CappedText.tail(Self.storable($0), bytes: Limits.errorDetailBytes) }
    }

    private static func storable(_ text: String) -> String {
        text.utf8.contains(0) ? text.replacing("\0", with: "\u{2400}") : text
    }
}
