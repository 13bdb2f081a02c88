/// What an outcome becomes, decided once, by the worker; a store only carries it out.
package enum Ending: Sendable, Equatable {
    case completed(result: JSONText?)
    /// The attempt failed and is charged; the next one is due after the delay (zero: at once).
    indirect case retryable(JobError, after: Duration)
    /// Runs again after the delay, nothing charged.
    case snoozed(Duration)
    /// The child that ran the job alone died of it: a crash is charged and no attempt; due again after the delay.
    indirect case crashed(JobError, after: Duration)
    /// Final.
    indirect case failed(JobError, FailureReason)
    case cancelled
    /// Back to the log, nothing charged.
    case givenBack
}

/// Why a job is `failed`.
public enum FailureReason: String, Sendable, Codable {
    /// Its attempts are used up.
    case exhausted
    /// Its handler, or a person, gave it up.
    case discarded
    /// It ended the process that ran it, and did so too often.
    case crashed
    /// Its time was over before a worker could start it. It did not run.
    case expired
}

extension Ending {
    /// Delays that a handler or a policy asks for are cut to what can be scheduled: a mistake there costs no more than its own
    /// job's time.
    ///
    /// - Parameters:
    ///   - attempt: the number of the attempt that just ended, from 1.
    ///   - crashes: how many had been charged to the job before.
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
        case .crashed(let error):
            self =
                crashes + 1 >= Limits.crashes
                ? .failed(error, .crashed)
                : .crashed(error, after: Self.schedulable(retry.delay(afterAttempt: crashes + 1, random: random)))
        case .discard(let error):
            self = .failed(error, .discarded)
        case .cancelled:
            self = .cancelled
        case .interrupted:
            self = .givenBack
        }
    }

    /// Of a job that a worker came to only when its time was over.
    package static func expired(late: Duration) -> Ending {
        // Always in seconds, so that all of a kind are one group of failures.
        let seconds = max(1, Int64(late.inSeconds.rounded(.up)))
        return .failed(
            JobError(type: "expired", message: "expired \(seconds) s before a worker came to it; it was not run"), .expired)
    }

    /// What it adds to the job's attempts and crashes.
    package var charge: (attempts: Int, crashes: Int) {
        switch self {
        case .completed, .retryable, .cancelled, .failed(_, .exhausted), .failed(_, .discarded): (1, 0)
        case .crashed, .failed(_, .crashed): (0, 1)
        case .snoozed, .givenBack, .failed(_, .expired): (0, 0)
        }
    }

    private static func schedulable(_ delay: Duration) -> Duration { delay.clamped(to: .zero...Limits.scheduleAhead) }
}
