import MartletCore
import Testing

@testable import MartletWebhooks

@Suite struct RetryAfterTests {
    /// 1994-11-06T08:49:00Z
    private let now = Timestamp(microseconds: 784_111_740_000_000)

    @Test(arguments: [
        ("120", Duration.seconds(120)), ("0", .zero), (" 7 ", .seconds(7)), ("86400", .seconds(86_400)),
        ("999999", .seconds(86_400)), ("99999999999999999999999999", .seconds(86_400)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", .seconds(37)), ("Sunday, 06-Nov-94 08:49:37 GMT", .seconds(37)),
        ("Sun Nov  6 08:49:37 1994", .seconds(37)), ("Sun, 06 Nov 1994 08:48:00 GMT", .zero),
        ("Sun, 06 Nov 2094 08:49:37 GMT", .seconds(86_400)),
    ])
    func `both forms are read, and bounded`(_ value: String, _ delay: Duration) {
        #expect(RetryAfter.asked(value, date: nil, now: now) == delay)
    }

    @Test(arguments: [
        "", "soon", "-1", "1.5", "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 06 Foo 1994 08:49:37 GMT", "06 Nov",
    ])
    func `what cannot be read counts as not there`(_ value: String) {
        #expect(RetryAfter.asked(value, date: nil, now: now) == nil)
    }

    @Test func `a date counts from the server's own clock where it tells it`() {
        #expect(
            RetryAfter.asked(
                "Sun, 06 Nov 1994 10:00:30 GMT", date: "Sun, 06 Nov 1994 10:00:00 GMT", now: now) == .seconds(30))
    }

    @Test func `the next attempt is neither before what the server asked for nor before what the policy says`() {
        let retry = RetryPolicy(backoff: .exponential(base: .seconds(10), cap: .seconds(3_600)), jitter: 0)
        #expect(RetryAfter.delay(.seconds(30), attempt: 1, retry: retry, random: 0.9) == .seconds(30))
        #expect(RetryAfter.delay(.seconds(30), attempt: 5, retry: retry, random: 0.9) == .seconds(160))
        #expect(RetryAfter.delay(.zero, attempt: 1, retry: retry, random: 0.9) == .seconds(10))
    }

    @Test func `the jitter spreads upwards only`() {
        let retry = RetryPolicy(backoff: .delays([.zero]), jitter: 0.5)
        #expect(RetryAfter.delay(.seconds(100), attempt: 1, retry: retry, random: 0) == .seconds(100))
        #expect(RetryAfter.delay(.seconds(100), attempt: 1, retry: retry, random: 0.5) == .seconds(125))
    }
}
