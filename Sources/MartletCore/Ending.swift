/// What an outcome becomes, decided once, by the worker; a store only carries it out.
package enum Ending: Sendable, Equatable {
    case completed(result: JSONText?)
    /// The attempt failed and is charged; the next one is due after the delay (zero: at once).
    case retryable(JobError, after: Duration)
    /// Runs again after the delay, nothing charged.
    case snoozed(Duration)
    /// Final.
    case failed(JobError, FailureReason)
    case cancelled
    /// Back to the log, nothing charged.
    case givenBack
}

/// Why a job is `failed`.
package enum FailureReason: String, Sendable, Codable {
    /// Its attempts are used up.
    case exhausted
    /// Its handler, or a person, gave it up.
    case discarded
}

extension Ending {
    /// Delays that a handler or a policy asks for are cut to what can be scheduled: a mistake there costs no more than its own
    /// job's time.
    ///
    /// - Parameters:
    ///   - attempt: the number of the attempt that just ended, from 1.
    ///   - random: uniform in 0..<1, for the jitter.
    package init(_ outcome: Outcome, attempt: Int, maxAttempts: Int, retry: RetryPolicy, random: Double) {
        switch outcome {
        case .completed(let result):
            self = .completed(result: result)
        case .retry(let error, let asked):
            self =
                attempt >= maxAttempts
                ? .failed(error, .exhausted)
                : .retryable(
                    error,
                    after: Self.schedulable(asked ?? retry.delay(afterAttempt: attempt, random: random)))
        case .snooze(let delay):
            self = .snoozed(Self.schedulable(delay))
        case .discard(let error):
            self = .failed(error, .discarded)
        case .cancelled:
            self = .cancelled
        case .interrupted:
            self = .givenBack
        }
    }

    private static func schedulable(_ delay: Duration) -> Duration { delay.clamped(to: .zero...Limits.scheduleAhead) }
}
