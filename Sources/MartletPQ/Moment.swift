import Glibc

/// A moment of this machine's monotonic clock, which also counts while the machine sleeps.
struct Moment: Comparable, Sendable {
    let nanoseconds: Int64

    static let never = Moment(nanoseconds: .max)

    static var now: Moment {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Moment(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    static func < (a: Moment, b: Moment) -> Bool { a.nanoseconds < b.nanoseconds }

    static func + (a: Moment, b: Duration) -> Moment {
        let (sum, overflow) = a.nanoseconds.addingReportingOverflow(b.wholeNanoseconds)
        return Moment(nanoseconds: overflow ? .max : sum)
    }

    static func - (a: Moment, b: Moment) -> Duration { .nanoseconds(a.nanoseconds - b.nanoseconds) }
}

extension Duration {
    /// A century where there are more, which no wait outlives.
    var wholeNanoseconds: Int64 {
        let century: Int64 = 36_525 * 86_400
        guard components.seconds < century else { return century * 1_000_000_000 }
        return components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000
    }

    /// Rounded up, so that a wait of this long is not a little too short.
    var wholeMilliseconds: Int64 { (wholeNanoseconds + 999_999) / 1_000_000 }
}
