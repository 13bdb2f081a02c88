import MartletCore

/// `Retry-After`: seconds, or a date.
///
/// The next attempt is due then, or when the retry policy says, whichever is later. To follow the server alone would use up
/// a job's attempts in minutes where one is down for hours and keeps answering "in 30 seconds"; to follow the policy alone
/// would hammer a server that asked for rest. What servers ask for is bounded, and is spread by the policy's jitter, upwards
/// only: jobs that were turned away together do not come back together, nor too early.
enum RetryAfter {
    /// The longest rest that is granted.
    static let longest: Duration = .seconds(86_400)

    /// - Parameter date: what the server thinks the time is; its clock and ours need not agree.
    /// - Returns: nil: it cannot be read, or is not there.
    static func asked(_ value: String?, date: String?, now: Timestamp) -> Duration? {
        guard let value = value?.trimmed, !value.isEmpty else { return nil }
        if value.utf8.allSatisfy({ (48...57).contains($0) }) {
            return Int64(value).map { min(.seconds(min($0, 1 << 40)), longest) } ?? longest
        }
        guard let then = HTTPDate.parse(value, now: now) else { return nil }
        let origin = date.flatMap { HTTPDate.parse($0.trimmed, now: now) } ?? now
        return (then - origin).clamped(to: .zero...longest)
    }

    /// - Parameter random: uniform in 0..<1.
    static func delay(_ asked: Duration, attempt: Int, retry: RetryPolicy, random: Double) -> Duration {
        let jitter = retry.jitter > 0 ? min(retry.jitter, 1) : 0
        return max(asked * (1 + jitter * random), retry.delay(afterAttempt: attempt, random: random))
    }
}

extension String {
    /// Without the spaces and tabs around it.
    var trimmed: String {
        var rest = self[...]
        while let first = rest.first, first == " " || first == "\t" { rest.removeFirst() }
        while let last = rest.last, last == " " || last == "\t" { rest.removeLast() }
        return String(rest)
    }
}
