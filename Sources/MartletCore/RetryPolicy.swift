/// When the next attempt of a failed job is due, and how many there are.
public struct RetryPolicy: Sendable, Equatable {
    public enum Backoff: Sendable, Equatable {
        /// `base × 2ⁿ⁻¹` after attempt n, at most `cap`.
        case exponential(base: Duration, cap: Duration)
        /// `step × n` after attempt n, at most `cap`.
        case linear(step: Duration, cap: Duration)
        /// The same after every attempt.
        case fixed(Duration)
        /// The nth delay after attempt n; the last one from there on.
        case delays([Duration])
        /// What a program computes.
        case computed(Rule)
    }

    /// A program's own answer to when the next attempt is due. Two rules are equal when they are the same one.
    public final class Rule: Sendable, Equatable {
        let delay: @Sendable (_ attempt: Int) -> Duration

        /// - Parameter delay: given the number of the attempt that failed, from 1. Must be quick: a lock is held.
        public init(_ delay: @escaping @Sendable (_ attempt: Int) -> Duration) { self.delay = delay }

        public static func == (a: Rule, b: Rule) -> Bool { a === b }
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

    /// `base`, then twice as long each time, at most `cap`.
    public static func exponential(
        base: Duration = .seconds(2), cap: Duration = .seconds(86_400), maxAttempts: Int = Limits.defaultMaxAttempts,
        jitter: Double = 0.2
    ) -> RetryPolicy {
        RetryPolicy(maxAttempts: maxAttempts, backoff: .exponential(base: base, cap: cap), jitter: jitter)
    }

    /// `step`, then `step` longer each time, at most `cap`.
    public static func linear(
        step: Duration, cap: Duration = .seconds(86_400), maxAttempts: Int = Limits.defaultMaxAttempts, jitter: Double = 0.2
    ) -> RetryPolicy {
        RetryPolicy(maxAttempts: maxAttempts, backoff: .linear(step: step, cap: cap), jitter: jitter)
    }

    /// The same delay each time.
    public static func fixed(
        _ delay: Duration, maxAttempts: Int = Limits.defaultMaxAttempts, jitter: Double = 0.2
    ) -> RetryPolicy {
        RetryPolicy(maxAttempts: maxAttempts, backoff: .fixed(delay), jitter: jitter)
    }

    /// A delay that the program computes from the number of the attempt that failed.
    public static func computed(
        maxAttempts: Int = Limits.defaultMaxAttempts, jitter: Double = 0,
        _ delay: @escaping @Sendable (_ attempt: Int) -> Duration
    ) -> RetryPolicy {
        RetryPolicy(maxAttempts: maxAttempts, backoff: .computed(Rule(delay)), jitter: jitter)
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
        case .linear(let step, let cap):
            let (step, cap) = (Self.usable(step), Self.usable(cap))
            plain = step.inSeconds * Double(attempt) >= cap.inSeconds ? cap : step * Double(attempt)
        case .fixed(let delay):
            plain = Self.usable(delay)
        case .computed(let rule):
            plain = Self.usable(rule.delay(attempt))
        case .delays(let delays):
            plain = delays.isEmpty ? .zero : Self.usable(delays[min(attempt, delays.count) - 1])
        }
        let jitter = jitter > 0 ? min(jitter, 1) : 0
        return plain * (1 + jitter * (2 * random - 1))
    }

    /// What can be multiplied without a trap.
    private static func usable(_ delay: Duration) -> Duration { delay.clamped(to: .zero...Limits.longestDuration) }
}
