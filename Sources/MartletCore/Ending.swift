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
    /// It killed the processes that ran it.
    case crashed
}

extension Ending {
    /// Delays that a handler or a policy asks for are cut to what can be scheduled: a mistake there costs no more than its own
    /// job's time.
    ///
    /// - Parameters:
    ///   - attempt: the number of the attempt that just ended, from 1.
    ///   - crashes: how many workers died while they ran it, before this attempt.
    ///   - random: uniform in 0..<1, for the jitter.
    package init(
        _ outcome: Outcome, attempt: Int, maxAttempts: Int, crashes: Int = 0, retry: RetryPolicy, random: Double
    ) {
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
        case .crashed(let error):
            // Each run alone is an attempt, and those before this one died of it as well: a job that is suspected gets as
            // many of them as its crashes leave it, whatever its attempts are.
            self =
                crashes + attempt >= Limits.crashes
                ? .failed(error, .crashed)
                : .retryable(error, after: Self.schedulable(retry.delay(afterAttempt: attempt, random: random)))
        }
    }

    private static func schedulable(_ delay: Duration) -> Duration { delay.clamped(to: .zero...Limits.scheduleAhead) }
}
