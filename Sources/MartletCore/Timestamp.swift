/// A moment in UTC, microseconds since 1970-01-01T00:00:00Z, as both engines store it.
///
/// Sums stop at the ends of the range: delays come from handlers and callers, and none of them may end the process.
public struct Timestamp: Hashable, Sendable, Comparable {
    public let microseconds: Int64

    public init(microseconds: Int64) { self.microseconds = microseconds }

    public static func < (a: Timestamp, b: Timestamp) -> Bool { a.microseconds < b.microseconds }

    public static func + (a: Timestamp, b: Duration) -> Timestamp {
        Timestamp(microseconds: Int64(clamping: Int128(a.microseconds) + b.allMicroseconds))
    }

    public static func - (a: Timestamp, b: Duration) -> Timestamp {
        Timestamp(microseconds: Int64(clamping: Int128(a.microseconds) - b.allMicroseconds))
    }

    public static func - (a: Timestamp, b: Timestamp) -> Duration {
        // Each fits a duration by far, their difference need not fit 64 bits of microseconds.
        .microseconds(a.microseconds) - .microseconds(b.microseconds)
    }
}

extension Duration {
    /// Whole microseconds, rounded toward zero; the nearest there is where 64 bits do not hold them.
    package var microseconds: Int64 { Int64(clamping: allMicroseconds) }

    fileprivate var allMicroseconds: Int128 { attoseconds / 1_000_000_000_000 }

    package var milliseconds: Int64 { microseconds / 1_000 }

    package var inSeconds: Double {
        // Not from the 128 bits of attoseconds, whose conversion takes as long as running a small job; but what a caller or a
        // handler asked for may be longer than the 64 bits of `components` hold, which end the process then.
        guard magnitude < Limits.longestDuration else { return Double(attoseconds) * 1e-18 }
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) * 1e-18
    }

    /// Whole nanoseconds; a century where there are more, which no wait of ours outlives and no sum with a moment overflows.
    package var nanoseconds: Int64 {
        let century: Int64 = 36_525 * 86_400
        guard self < .seconds(century) else { return century * 1_000_000_000 }
        guard self > .seconds(-century) else { return -century * 1_000_000_000 }
        let (seconds, attoseconds) = components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }

    private var magnitude: Duration { self < .zero ? .zero - self : self }

    /// The nearest duration in the range.
    package func clamped(to range: ClosedRange<Duration>) -> Duration {
        max(range.lowerBound, min(range.upperBound, self))
    }
}
