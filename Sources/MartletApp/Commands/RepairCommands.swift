import ArgumentParser
import MartletCore
import MartletStore

struct JobsRetryCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Make jobs available now: failed and cancelled ones, and those that wait for their time.",
        usage: "martlet jobs retry [<id> ...] [<options>]",
        discussion: """
            A job that has used up its attempts gets one more, others go on with those they have left; --attempts N gives each \
            N more. An expiry that is over is dropped, and so are the crashes of a job that has failed.

            With --json: {"repair", "dry_run", "changed", "requested", "refused": [{"id", "state"}], "missing": [id]}; requested \
            counts running jobs that were asked to stop.

            EXAMPLES:
              martlet jobs retry 41 42
              martlet jobs retry --state failed --kind resize --dry-run
              martlet jobs retry 41 --attempts 5
            """)

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("How many more attempts each job has. (default: those left, at least 1)", valueName: "n"))
    var attempts: String?

    @OptionGroup var repair: RepairOptions

    func execute(_ console: Console) async throws -> ExitStatus {
        let attempts = try Values.integer(attempts, field: "--attempts", in: Limits.maxAttempts)
        return try await repair.execute(.retry, attempts: attempts, console)
    }
}

struct JobsCancelCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "cancel", abstract: "End waiting jobs as cancelled, and ask running ones to stop.",
        usage: "martlet jobs cancel [<id> ...] [<options>]",
        discussion: """
            With --json: {"repair", "dry_run", "changed", "requested", "refused": [{"id", "state"}], "missing": [id]}; requested \
            counts running jobs that were asked to stop.

            EXAMPLES:
              martlet jobs cancel 41
              martlet jobs cancel --state scheduled --queue images
            """)

    @OptionGroup var repair: RepairOptions

    func execute(_ console: Console) async throws -> ExitStatus { try await repair.execute(.cancel, console) }
}

struct JobsDiscardCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "discard", abstract: "Remove failed and cancelled jobs for good.",
        usage: "martlet jobs discard [<id> ...] [<options>]",
        discussion: """
            With --json: {"repair", "dry_run", "changed", "requested", "refused": [{"id", "state"}], "missing": [id]}; requested \
            counts running jobs that were asked to stop.

            EXAMPLES:
              martlet jobs discard 41
              martlet jobs discard --state cancelled --yes
            """)

    @OptionGroup var repair: RepairOptions

    func execute(_ console: Console) async throws -> ExitStatus { try await repair.execute(.discard, console) }
}
