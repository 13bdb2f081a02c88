import MartletCore

/// A command as a handler: args on standard input, output and exit status as result and error. Never through a shell.
///
/// | the command | the job |
/// |---|---|
/// | exits with 0 | completed; standard output is the result |
/// | exits with 75 (`EX_TEMPFAIL`) | tried again, error type `tempfail`: not now, rather than wrong |
/// | exits with another status | tried again, error type `exit` |
/// | is killed by a signal | tried again, error type `signal` |
/// | cannot be started | tried again, error type `exec` |
///
/// "Tried again" is the same in all these rows: by the kind's retry policy, and an attempt is charged, so that a command that
/// always ends in the same way ends as failed. Status 75 differs by its name alone: people and alerts tell "the other side is
/// down" from "this is broken" by the error's type. A command cannot snooze or discard its job.
///
/// A result that is valid JSON is kept as it is, anything else as a JSON string: one newline at the end goes, and bytes that
/// are not UTF-8 become U+FFFD. Output of more than ``resultBytes`` is cut, and is then always a string, even if it began as
/// JSON, that ends in `… (cut: 5242880 bytes in all)`, the mark within the limit. The limit counts bytes of output; the JSON
/// that is kept can be longer by its escapes.
package struct CommandSpec: Sendable, Equatable {
    /// What every command may see of our environment.
    package static let defaultEnvironment = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR"]

    /// The program, looked up in `PATH` unless it has a slash, and its arguments. Not empty.
    package var argv: [String]
    /// Names of our environment that are passed on if they are set, besides ``defaultEnvironment``.
    package var passedEnvironment: [String]
    /// Variables with a value of their own.
    package var environment: [String: String]
    /// nil: ours.
    package var workingDirectory: String?
    /// How much of standard output is kept.
    package var resultBytes: Int
    /// How much of the end of standard error is kept with a failure.
    package var errorBytes: Int
    /// Time between SIGTERM and SIGKILL.
    package var killGrace: Duration
    package var conditions = ChildConditions()

    /// - Throws: ``InvalidInput`` about `command` or `environment`.
    package init(
        argv: [String], passedEnvironment: [String] = [], environment: [String: String] = [:],
        workingDirectory: String? = nil,
        resultBytes: Int = Limits.resultBytes, errorBytes: Int = Limits.errorDetailBytes, killGrace: Duration = .seconds(5)
    ) throws(InvalidInput) {
        guard let program = argv.first, !program.isEmpty else {
            throw InvalidInput(field: "command", reason: "names no program")
        }
        guard argv.allSatisfy({ !$0.utf8.contains(0) }) else {
            throw InvalidInput(field: "command", reason: "holds a NUL byte, which no program can receive")
        }
        for name in passedEnvironment + environment.keys {
            let first = name.utf8.first ?? UInt8(ascii: "=")
            guard first != UInt8(ascii: "="), !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first),
                !name.utf8.contains(where: { $0 == 0 || $0 == UInt8(ascii: "=") })
            else {
                throw InvalidInput(
                    field: "environment", reason: "\(name.debugDescription) is not the name of an environment variable")
            }
        }
        for (name, value) in environment where value.utf8.contains(0) {
            throw InvalidInput(field: "environment", reason: "the value of \(name) holds a NUL byte")
        }
        self.argv = argv
        self.passedEnvironment = passedEnvironment
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.resultBytes = resultBytes
        self.errorBytes = errorBytes
        self.killGrace = killGrace
    }
}
