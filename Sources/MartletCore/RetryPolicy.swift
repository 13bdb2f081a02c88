/// When the next attempt of a failed job is due, and how many there are.
public struct RetryPolicy: Sendable, Equatable {
    public enum Backoff: Sendable, Equatable {
        /// `base × 2ⁿ⁻¹` after attempt n, at most `cap`.
        case exponential(base: Duration, cap: Duration)
        /// The nth delay after attempt n; the last one from there on.
        case delays([Duration])
    }

    public var maxAttempts: Int
    public var backoff: Backoff
    /// A delay is spread evenly over ± this share of itself, so that jobs that failed together do not come back together. 0…1;
    /// anything else counts as the nearer of the two.
    public var jitter: Double

    public init(
        maxAttempts: Int = Limits.defaultMaxAttempts,
        backoff: Backoff = .exponential(base: .seconds(2), cap: .seconds(86_400)),
        jitter: Double = 0.2
    ) {
        self.maxAttempts = maxAttempts
        self.backoff = backoff
        self.jitter = jitter
    }

    /// A list of delays is also a number of attempts: one more than there are delays.
    public static func delays(_ delays: [Duration], jitter: Double = 0) -> RetryPolicy {
        RetryPolicy(maxAttempts: delays.count + 1, backoff: .delays(delays), jitter: jitter)
    }

    /// Delays of the policy that are negative count as zero, those beyond ``Limits/longestDuration`` as that.
    /// - Parameters:
    ///   - attempt: the number of the attempt that failed, from 1.
    ///   - random: uniform in 0..<1.
    public func delay(afterAttempt attempt: Int, random: Double) -> Duration {
        precondition(attempt >= 1 && (0..<1).contains(random))
        let plain: Duration
        switch backoff {
        case .exponential(let base, let cap):
            // 2⁶² is beyond every cap, and the comparison in seconds cannot overflow.
            let factor = Double(sign: .plus, exponent: min(attempt - 1, 62), significand: 1)
            let (base, cap) = (Self.usable(base), Self.usable(cap))
            plain = base.inSeconds * factor >= cap.inSeconds ? cap : base * factor
        case .delays(let delays):
            plain = delays.isEmpty ? .zero : Self.usable(delays[min(attempt, delays.count) - 1])
        }
        let jitter = jitter > 0 ? min(jitter, 1) : 0
        return plain * (1 + jitter * (2 * random - 1))
    }

    /// What can be multiplied without a trap.
    private static func usable(_ delay: Duration) -> Duration { delay.clamped(to: .zero...Limits.longestDuration) }
}
