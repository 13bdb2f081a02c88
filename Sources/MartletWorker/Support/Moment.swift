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

    /// The same as a difference, for those who need no `Duration` of it.
    func nanoseconds(since earlier: Moment) -> Int64 { nanoseconds - earlier.nanoseconds }

    static func - (a: Moment, b: Moment) -> Duration { .nanoseconds(a.nanoseconds - b.nanoseconds) }
}
