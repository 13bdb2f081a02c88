import MartletCore
import ArgumentParser

/// The root of the command line.
struct Martlet: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "martlet",
        abstract: "A durable task queue: bring work, let workers do it, look at what failed and run it again.",
        usage: "martlet <command> [options]",
        discussion: """
            EXAMPLES:
              martlet enqueue resize '{"file": "a.png"}' --queue images --in 5m
              martlet enqueue resize --from jobs.ndjson
              martlet worker --config martlet.yaml
              martlet jobs list --state failed --json
              martlet jobs show 42
              martlet failed
              martlet jobs retry --state failed --kind resize

            Data goes to standard output, everything else to standard error.
            With --json every line of output is one JSON object.
            --database or MARTLET_DATABASE_URL names the database; the default is sqlite:martlet.db.

            \(ExitStatus.help)
            """,
        version: Version.current,
        subcommands: [
            EnqueueCommand.self, WorkerCommand.self, JobsCommand.self, FailedCommand.self, QueuesCommand.self,
            WorkersCommand.self, StatsCommand.self, DoctorCommand.self, MigrateCommand.self, RepairCommand.self,
            BenchCommand.self,
        ])
}

/// A command that does something, as opposed to a group of commands.
protocol Command: ParsableCommand {
    /// Everything it needs of the world comes in the console.
    func execute(_ console: Console) async throws -> ExitStatus
}
