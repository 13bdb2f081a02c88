import ArgumentParser
import MartletStore

struct RepairCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "repair", abstract: "Mend a database that doctor complains of.",
        discussion: """
            EXAMPLES:
              martlet doctor
              martlet repair rebase
            """,
        subcommands: [RepairRebaseCommand.self])
}

struct RepairRebaseCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "rebase",
        abstract: "After a dump was restored on PostgreSQL: let its jobs be worked on here.",
        usage: "martlet repair rebase [<options>]",
        discussion: """
            What waited and what was running when the dump was taken waits afterwards, in order and under the ids it had. What \
            ended in the meantime where the dump comes from runs again. Delayed jobs, failed ones and the completed ones' \
            history stay. Workers and producers are refused until this is done. Copies of the server's files (pg_basebackup, \
            a standby, pg_upgrade) and SQLite need none of it.

            With --json: {"repair", "needed", "available", "running"}; the last two count the jobs that wait again.

            EXAMPLES:
              martlet repair rebase
              martlet repair rebase --yes --json
            """)

    @Flag(name: .shortAndLong, help: "Do not ask.")
    var yes = false

    @OptionGroup var format: FormatOptions
    @OptionGroup var database: DatabaseOptions

    func execute(_ console: Console) async throws -> ExitStatus {
        try await database.with(console) { url in
            guard let preview = try await OpenStore.rebasePreview(url) else {
                try report(RebaseReply(needed: false, available: 0, running: 0), console)
                return .done
            }
            guard preview.needed else {
                try report(preview, console)
                return .done
            }
            try confirm(preview, console)
            try report(try await OpenStore.rebase(url), console)
            return .done
        }
    }

    private func confirm(_ preview: RebaseReply, _ console: Console) throws {
        let jobs = "\(Counted.jobs(preview.available)) that waited, \(Counted.jobs(preview.running)) that ran"
        guard !yes else { return try console.say("to be made available here: \(jobs)") }
        guard let answer = console.answer else {
            throw Failure(.refused, "nothing changed: add --yes to make available here: \(jobs)")
        }
        try console.errors.write("make available here \(jobs)? Stop all workers of this database first. [y/N] ")
        guard let said = answer()?.lowercased(), said == "y" || said == "yes" else {
            throw Failure(.refused, "nothing changed")
        }
    }

    private func report(_ reply: RebaseReply, _ console: Console) throws {
        guard !format.json else { return try console.output.write(JSONWriter(rebase: reply)) }
        try console.output.write(
            reply.needed
                ? "rebased: \(Counted.jobs(reply.available + reply.running)) available\n"
                : "nothing to do: the queue is at home in this database\n")
    }
}
