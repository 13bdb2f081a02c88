import Glibc
import MartletCore
import Subprocess

/// What a command's bad end is called.
enum CommandFailure {
    /// `EX_TEMPFAIL` of sysexits.h: try again later.
    static let tryAgain: CInt = 75

    static func error(_ status: TerminationStatus, stderr: CappedOutput) -> JobError {
        let text = String(decoding: stderr.bytes, as: UTF8.self)
        let lines = text.split(whereSeparator: \.isNewline)
        let lastLine = lines.last { !$0.allSatisfy(\.isWhitespace) }
        let reason = lastLine.map { ": \($0)" } ?? ""
        let detail = text.isEmpty ? nil : (stderr.isCut ? "…" : "") + text
        switch status {
        case .exited(tryAgain):
            return JobError(
                type: "tempfail", message: "asked to be tried again (exit status \(tryAgain))\(reason)", detail: detail)
        case .exited(let code):
            return JobError(type: "exit", message: "exited with status \(code)\(reason)", detail: detail)
        case .signaled(let number):
            let name = signals[number].map { " (SIG\($0))" } ?? ""
            return JobError(type: "signal", message: "killed by signal \(number)\(name)\(reason)", detail: detail)
        }
    }

    static func error(_ error: any Error, spec: CommandSpec) -> JobError {
        let program = spec.argv[0].debugDescription
        let reason: String
        let known = error as? SubprocessError
        switch known?.code {
        case .executableNotFound:
            reason = whyNotFound(spec)
        case .failedToChangeWorkingDirectory:
            reason = "cannot enter the directory \((spec.workingDirectory ?? ".").debugDescription)"
        case .some, .none:
            // `Exec format error`, `Too many open files`.
            reason = known?.underlyingError.map { "\($0)" } ?? "\(error)"
        }
        return JobError(type: "exec", message: "cannot run \(program): \(reason)")
    }

    /// The library does not tell a file that is not there from one that may not be run.
    private static func whyNotFound(_ spec: CommandSpec) -> String {
        let program = spec.argv[0]
        guard program.utf8.contains(UInt8(ascii: "/")) else { return "no such program in PATH" }
        let path = program.utf8.first == UInt8(ascii: "/") ? program : (spec.workingDirectory ?? ".") + "/" + program
        return access(path, F_OK) == 0 ? "it is not an executable file" : "no such file"
    }

    private static let signals: [CInt: String] = [
        1: "HUP", 2: "INT", 3: "QUIT", 4: "ILL", 5: "TRAP", 6: "ABRT", 7: "BUS", 8: "FPE", 9: "KILL", 10: "USR1",
        11: "SEGV", 12: "USR2", 13: "PIPE", 14: "ALRM", 15: "TERM", 24: "XCPU", 25: "XFSZ", 31: "SYS",
    ]
}
