import Foundation
import Glibc
import MartletCore

/// The two clocks of this engine, passed in so that tests can turn them.
package protocol StoreClock: Sendable {
    /// For what people read, and for when jobs are due.
    func now() -> Timestamp
    /// For leases: runs on while the machine sleeps, and nobody can set it. Milliseconds since the machine's boot.
    func sinceBoot() -> Int64
    /// Which boot ``sinceBoot()`` counts from. After a reboot no lease of an earlier boot is alive.
    func bootID() -> String
}

package struct SystemStoreClock: StoreClock {
    package init() {}

    package func now() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000)
    }

    package func sinceBoot() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
    }

    package func bootID() -> String { Self.boot }

    /// An unreadable id (no /proc) is the same on every boot; leases then end by their time alone.
    private static let boot: String = {
        guard let text = try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8) else {
            return "unknown"
        }
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }()
}
