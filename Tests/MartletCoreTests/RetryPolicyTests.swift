import MartletCore
import MartletTestSupport
import Testing

struct RetryPolicyTests {
    private let plain = RetryPolicy(backoff: .exponential(base: .seconds(2), cap: .seconds(3_600)), jitter: 0)

    @Test(arguments: [(1, 2), (2, 4), (3, 8), (11, 2_048), (12, 3_600), (13, 3_600), (63, 3_600), (1_000, 3_600)])
    func `the delay doubles up to the cap`(attempt: Int, seconds: Int) {
        #expect(plain.delay(afterAttempt: attempt, random: 0.5) == .seconds(seconds))
    }

    @Test(arguments: [1, 5, 12, 64, 1_000, .max])
    func `jitter stays within its share`(attempt: Int) {
        let policy = RetryPolicy(backoff: plain.backoff, jitter: 0.2)
        let middle = plain.delay(afterAttempt: attempt, random: 0)
        #expect(abs(policy.delay(afterAttempt: attempt, random: 0).inSeconds - middle.inSeconds * 0.8) < 1e-6)
        #expect(abs(policy.delay(afterAttempt: attempt, random: 0.5).inSeconds - middle.inSeconds) < 1e-6)
        var random = SplitMix64(seed: 3)
        var delays: Set<Duration> = []
        for _ in 0..<1_000 {
            let delay = policy.delay(afterAttempt: attempt, random: Double.random(in: 0..<1, using: &random))
            #expect(delay >= middle * 0.8 && delay < middle * 1.2)
            delays.insert(delay)
        }
        #expect(delays.count > 900)
    }

    @Test func `extremes do not overflow`() {
        let slow = RetryPolicy(
            backoff: .exponential(base: Limits.longestDuration, cap: Limits.longestDuration), jitter: 1)
        #expect(slow.delay(afterAttempt: 1_000, random: 0.999) > Limits.longestDuration)
        let none = RetryPolicy(backoff: .exponential(base: .zero, cap: .zero), jitter: 1)
        #expect(none.delay(afterAttempt: 1_000, random: 0) == .zero)
    }

    @Test(arguments: [Double.nan, .infinity, -.infinity, -1, 2, 1e300])
    func `whatever a policy says, its delay can be computed`(jitter: Double) {
        let ends: [Duration] = [.seconds(Int64.min) * 9, .seconds(-1), .zero, .seconds(Int64.max), .seconds(Int64.max) * 9]
        for base in ends {
            for cap in ends {
                let policies = [
                    RetryPolicy(backoff: .exponential(base: base, cap: cap), jitter: jitter),
                    .delays([base, cap], jitter: jitter),
                    .linear(step: base, cap: cap, jitter: jitter),
                    .fixed(base, jitter: jitter),
                    .computed(jitter: jitter) { _ in base },
                ]
                for policy in policies {
                    for attempt in [1, 2, 64, .max] {
                        let delay = policy.delay(afterAttempt: attempt, random: 0.999)
                        #expect(delay >= .zero && delay <= Limits.longestDuration * 2)
                    }
                }
            }
        }
    }

    @Test func `a list gives its delays in order and then the last`() {
        let policy = RetryPolicy.delays([.seconds(1), .seconds(10), .seconds(300)])
        #expect(policy.maxAttempts == 4)
        let delays = [1, 2, 3, 4, 1_000].map { policy.delay(afterAttempt: $0, random: 0.9) }
        #expect(delays == [.seconds(1), .seconds(10), .seconds(300), .seconds(300), .seconds(300)])
    }

    @Test func `an empty list means one attempt and no delay`() {
        #expect(RetryPolicy.delays([]).maxAttempts == 1)
        #expect(RetryPolicy.delays([]).delay(afterAttempt: 1, random: 0) == .zero)
    }

    @Test func `linear delays grow by a step up to the cap`() {
        let policy = RetryPolicy.linear(step: .seconds(10), cap: .seconds(25), jitter: 0)
        let delays = [1, 2, 3, 1_000, .max].map { policy.delay(afterAttempt: $0, random: 0.5) }
        #expect(delays == [.seconds(10), .seconds(20), .seconds(25), .seconds(25), .seconds(25)])
    }

    @Test func `fixed delays stay`() {
        let policy = RetryPolicy.fixed(.seconds(30), maxAttempts: 4, jitter: 0)
        #expect(policy.maxAttempts == 4)
        #expect(
            [1, 2, .max].map { policy.delay(afterAttempt: $0, random: 0.5) } == Array(repeating: .seconds(30), count: 3))
    }

    @Test func `a program computes its own delays`() {
        let policy = RetryPolicy.computed(maxAttempts: 7) { .seconds($0 * $0) }
        #expect([1, 2, 3].map { policy.delay(afterAttempt: $0, random: 0.5) } == [.seconds(1), .seconds(4), .seconds(9)])
        #expect(policy == policy)
        #expect(policy != .computed(maxAttempts: 7) { .seconds($0 * $0) })
    }
}
