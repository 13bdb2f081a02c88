import ArgumentParser

struct JobsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "jobs", abstract: "List, show and repair jobs.",
        discussion: """
            EXAMPLES:
              martlet jobs
              martlet jobs list --state failed --since 1h
              martlet jobs show 42
              martlet jobs retry --state failed --kind resize
            """,
        subcommands: [
            JobsListCommand.self, JobsShowCommand.self, JobsRetryCommand.self, JobsCancelCommand.self,
            JobsDiscardCommand.self,
        ],
        defaultSubcommand: JobsListCommand.self)
}
