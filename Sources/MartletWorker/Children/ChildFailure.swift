import Glibc
import MartletCore

/// What the bad end of a child process is called, a command's or a Swift job's.
enum ChildFailure {
    /// What it said before it ended.
    struct Said {
        /// The last line that says something, after a colon.
        let reason: String
        let detail: String?

        init(_ stderr: CappedOutput) {
            let text = String(decoding: stderr.bytes, as: UTF8.self)
            let lines = text.split(whereSeparator: \.isNewline)
            reason = lines.last { !$0.allSatisfy(\.isWhitespace) }.map { ": \($0)" } ?? ""
            detail = text.isEmpty ? nil : (stderr.isCut ? "…" : "") + text
        }

        /// Of a Swift program, whose fatal error stands before its backtrace.
        init(swift stderr: CappedOutput) {
            let text = String(decoding: stderr.bytes, as: UTF8.self)
            let lines = text.split(whereSeparator: \.isNewline)
            let isTraced = lines.contains { $0.contains("Program crashed:") }
            let told = lines.last { $0.contains("Fatal error") } ?? (isTraced ? nil : lines.last)
            reason = told.map { ": \($0)" } ?? ""
            detail = text.isEmpty ? nil : (stderr.isCut ? "…" : "") + text
        }
    }

    static func exited(_ status: CInt, stderr: CappedOutput) -> JobError {
        let said = Said(stderr)
        return JobError(type: "exit", message: "exited with status \(status)\(said.reason)", detail: said.detail)
    }

    static func killed(_ cause: ChildEnd.Cause, limits: ProcessLimits, stderr: CappedOutput) -> JobError {
        let said = Said(stderr)
        return JobError(
            type: "signal", message: "killed by \(name(cause, limits))\(said.reason)", detail: said.detail)
    }

    static func exited(_ status: CInt, swift stderr: CappedOutput) -> JobError {
        let said = Said(swift: stderr)
        let what = "exited with status \(status) before the job had ended"
        return JobError(type: "exit", message: what + said.reason, detail: said.detail)
    }

    static func killed(_ cause: ChildEnd.Cause, limits: ProcessLimits, swift stderr: CappedOutput) -> JobError {
        let said = Said(swift: stderr)
        return JobError(
            type: "signal", message: "killed by \(name(cause, limits))\(said.reason)", detail: said.detail)
    }

    private static func name(_ cause: ChildEnd.Cause, _ limits: ProcessLimits) -> String {
        switch cause {
        case .outOfMemory(SIGKILL):
            return "signal 9 (out of memory)"
        case .outOfMemory(let number):
            return "signal \(number) (\(signals[number].map { "SIG\($0), " } ?? "")out of memory)"
        case .tooManyProcesses:
            return "signal 9 (more than \(limits.processes.map(String.init) ?? "its limit of") processes)"
        case .signal(let number):
            guard let name = signals[number] else { return "signal \(number)" }
            if name == "XCPU", let cpu = limits.cpu {
                return "signal \(number) (SIGXCPU: more than \(cpu.text) of processor time)"
            }
            return "signal \(number) (SIG\(name))"
        }
    }

    private static let signals: [CInt: String] = [
        1: "HUP", 2: "INT", 3: "QUIT", 4: "ILL", 5: "TRAP", 6: "ABRT", 7: "BUS", 8: "FPE", 9: "KILL", 10: "USR1",
        11: "SEGV", 12: "USR2", 13: "PIPE", 14: "ALRM", 15: "TERM", 24: "XCPU", 25: "XFSZ", 31: "SYS",
    ]
}
