import Glibc
import MartletCore

/// A moment of this machine's monotonic clock. It also counts while the machine sleeps, as leases do.
///
/// Nanoseconds in one integer: it is read and compared twice per job, where `ContinuousClock`'s 128 bits show.
package struct Moment: Comparable, Sendable {
    let nanoseconds: Int64

    package static var now: Moment {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Moment(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    package static func < (a: Moment, b: Moment) -> Bool { a.nanoseconds < b.nanoseconds }

    static func + (a: Moment, b: Duration) -> Moment { Moment(nanoseconds: a.nanoseconds + b.nanoseconds) }

    static func - (a: Moment, b: Moment) -> Duration { .nanoseconds(a.nanoseconds - b.nanoseconds) }
}

extension Duration {
    /// Whole nanoseconds; a century where there are more, which no wait of ours outlives and no sum with a moment overflows.
    var nanoseconds: Int64 {
        let century: Int64 = 36_525 * 86_400
        guard self < .seconds(century) else { return century * 1_000_000_000 }
        guard self > .seconds(-century) else { return -century * 1_000_000_000 }
        let (seconds, attoseconds) = components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}
