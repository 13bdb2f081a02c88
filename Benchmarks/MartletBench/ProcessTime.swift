import Foundation
import Glibc

/// What a process has used so far.
enum ProcessTime {
    /// Processor time of this process, all threads, user and system, in seconds.
    static func own() -> Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return [usage.ru_utime, usage.ru_stime].reduce(0) { $0 + Double($1.tv_sec) + Double($1.tv_usec) * 1e-6 }
    }

    /// The same of another one, in clock ticks: utime and stime of proc(5), fields 14 and 15.
    static func ticks(_ pid: pid_t) throws -> Int { try stat(pid, 12...13) }

    /// And of its children that it has waited for: fields 14 to 17.
    static func ticksWithEndedChildren(_ pid: pid_t) throws -> Int { try stat(pid, 12...15) }

    private static func stat(_ pid: pid_t, _ range: ClosedRange<Int>) throws -> Int {
        let text = try String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
        let fields = text[text.lastIndex(of: ")")!...].split(separator: " ")
        return fields[range].reduce(0) { $0 + Int($1)! }
    }

    static func residentMebibytes(_ pid: pid_t) throws -> Double {
        let text = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
        let line = text.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }!
        return Double(line.split(separator: " ")[1])! / 1_024
    }
}
