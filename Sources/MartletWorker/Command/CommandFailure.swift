import Glibc
import MartletCore

/// What a command's bad end is called.
enum CommandFailure {
    /// `EX_TEMPFAIL` of sysexits.h: try again later.
    static let tryAgain: CInt = 75

    static func exited(_ status: CInt, stderr: CappedOutput) -> JobError {
        guard status == tryAgain else { return ChildFailure.exited(status, stderr: stderr) }
        let said = ChildFailure.Said(stderr)
        return JobError(
            type: "tempfail", message: "asked to be tried again (exit status \(status))\(said.reason)", detail: said.detail)
    }

    static func unable(_ spec: CommandSpec, reason: String) -> JobError {
        JobError(type: "exec", message: "cannot run \(spec.argv[0].debugDescription): \(reason)")
    }

    static func reason(_ step: ChildEnd.Step, _ error: Errno, _ spec: CommandSpec) -> String {
        switch step {
        case .execute: whyNotRun(error, spec)
        case .directory: "cannot enter the directory \((spec.workingDirectory ?? ".").debugDescription)"
        case .user, .group: "cannot take the user and group it shall run as: \(error)"
        case .limits: "cannot take its limits: \(error)"
        case .fork, .descriptors: "\(error)"
        }
    }

    /// The kernel says the same of a script whose interpreter is missing as of a file that is.
    private static func whyNotRun(_ error: Errno, _ spec: CommandSpec) -> String {
        let program = spec.argv[0]
        let path = program.utf8.first == UInt8(ascii: "/") ? program : (spec.workingDirectory ?? ".") + "/" + program
        switch error.number {
        case ENOENT where access(path, F_OK) == 0: return "its interpreter is not there"
        case ENOENT: return "no such file"
        case EACCES: return "it is not an executable file"
        // `Exec format error`, `Argument list too long`: a number of C's.
        default: return "\(error)"
        }
    }
}
