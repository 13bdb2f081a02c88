import MartletCore
import ArgumentParser
import MartletStore

struct MigrateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate", abstract: "Create the database or bring it up to date.",
        discussion: """
            The other commands do this by themselves for an SQLite database, and never for PostgreSQL.

            EXAMPLES:
              martlet migrate
              martlet migrate status --json
              martlet migrate plan --database postgres://owner@host/jobs
            """,
        subcommands: [
            MigrateUpCommand.self, MigrateStatusCommand.self, MigratePlanCommand.self, MigrateRolesCommand.self,
        ], defaultSubcommand: MigrateUpCommand.self)
}

struct MigrateUpCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "up", abstract: "Take every step that is missing.",
        discussion: """
            EXAMPLES:
              martlet migrate up --database sqlite:/srv/martlet.db
            """)

    @OptionGroup var format: FormatOptions
    @OptionGroup var database: DatabaseOptions

    func execute(_ console: Console) async throws -> ExitStatus {
        try await database.with(console) { url in
            try MigrationText(url: url.located, json: format.json).write(try await OpenStore.migrate(url.located), console)
            return .done
        }
    }
}

struct MigrateStatusCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Say which steps are missing. Changes nothing.",
        discussion: """
            Ends with status 5 when the database is newer than this program.

            EXAMPLES:
              martlet migrate status
            """)

    @OptionGroup var format: FormatOptions
    @OptionGroup var database: DatabaseOptions

    func execute(_ console: Console) async throws -> ExitStatus {
        try await database.with(console) { url in
            let status = try await OpenStore.migrationStatus(url.located)
            try MigrationText(url: url.located, json: format.json).write(status, console)
            return status.isNewer ? .database : .done
        }
    }
}

struct MigratePlanCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "Print the SQL that migrate up would run on PostgreSQL. Changes nothing.",
        discussion: """
            Prints nothing when there is nothing to do.

            EXAMPLES:
              martlet migrate plan --database postgres://owner@host/jobs > steps.sql
            """)

    @OptionGroup var database: DatabaseOptions

    func execute(_ console: Console) async throws -> ExitStatus {
        try console.output.write(try await database.with(console) { url in try await OpenStore.plan(url) })
        return .done
    }
}

struct MigrateRolesCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "roles", abstract: "Make the roles of producers, workers, readers and admins on PostgreSQL.",
        discussion: """
            They have no login: grant them to the users of your programs. Run it as the owner; again does no harm.

            EXAMPLES:
              martlet migrate roles --database postgres://owner@host/jobs
            """)

    @OptionGroup var database: DatabaseOptions

    func execute(_ console: Console) async throws -> ExitStatus {
        let roles = try await database.with(console) { url in try await OpenStore.createRoles(url) }
        try console.output.write(roles.map { "\($0)\n" }.joined())
        return .done
    }
}

private struct MigrationText {
    let url: DatabaseURL
    let json: Bool

    func write(_ status: MigrationStatus, _ console: Console) throws {
        guard !json else { return try console.output.write(JSONWriter(migration: status)) }
        var text = "\(SafeText.line(url.text)) is at schema \(status.current) of \(status.latest)"
        if status.isNewer {
            text += ": newer than this martlet, which is version \(Version.current)"
        } else if status.isAhead {
            text += ": ahead of this martlet, which works with it"
        } else if status.pending.isEmpty {
            text += ": up to date"
        }
        text += "\n" + status.pending.map { "  pending: \($0)\n" }.joined()
        try console.output.write(text)
    }
}
