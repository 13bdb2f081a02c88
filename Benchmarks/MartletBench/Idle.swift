import Foundation
import Glibc

/// What a daemon costs that has nothing to do.
enum Idle {
    struct Cost {
        /// Percent of one core.
        let cpu: Double
        let mebibytes: Double
    }

    static func run(for time: Duration) async throws -> Cost {
        try await withDirectory { directory in
            try "kinds: { nothing: { command: ['true'] } }\n".write(
                to: directory.appendingPathComponent("martlet.yaml"), atomically: true, encoding: .utf8)
            let daemon = try Programs.start(Programs.martlet, ["worker"], in: directory)
            try await Task.sleep(for: .seconds(2))
            let before = try ticks(daemon.processIdentifier)
            try await Task.sleep(for: time)
            let used = try ticks(daemon.processIdentifier) - before
            let memory = try residentMebibytes(daemon.processIdentifier)
            daemon.terminate()
            daemon.waitUntilExit()
            let seconds = Double(time.components.seconds)
            return Cost(cpu: Double(used) / Double(sysconf(Int32(_SC_CLK_TCK))) / seconds * 100, mebibytes: memory)
        }
    }

    /// utime and stime of proc(5), fields 14 and 15.
    private static func ticks(_ pid: pid_t) throws -> Int {
        let text = try String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
        let fields = text[text.lastIndex(of: ")")!...].split(separator: " ")
        return Int(fields[12])! + Int(fields[13])!
    }

    private static func residentMebibytes(_ pid: pid_t) throws -> Double {
        let text = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
        let line = text.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }!
        return Double(line.split(separator: " ")[1])! / 1_024
    }
}
