import ArgumentParser
import MartletCore
import MartletStore

struct DatabaseOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The database: sqlite:PATH, a path that ends in .db, or postgres://USER@HOST/NAME. Or set MARTLET_DATABASE_URL. (default: sqlite:martlet.db)",
            valueName: "url"))
    var database: String?

    @Option(
        help: ArgumentHelp(
            "The PostgreSQL schema that holds the queue; or ?schema=NAME in the URL. (default: martlet)", valueName: "name"))
    var schema: String?

    /// - Parameter file: what the configuration file says, if there is one.
    func url(_ console: Console, file: DatabaseURL? = nil) throws(InvalidInput) -> DatabaseURL {
        let url = try anySchema(console, file: file)
        guard let schema else { return url }
        return try url.with(schema: schema, field: "--schema")
    }

    private func anySchema(_ console: Console, file: DatabaseURL?) throws(InvalidInput) -> DatabaseURL {
        if let database { return try DatabaseURL(parsing: database, field: "--database") }
        if let variable = console.environment[DatabaseURL.variable], !variable.isEmpty {
            return try DatabaseURL(parsing: variable, field: DatabaseURL.variable)
        }
        return file ?? .default
    }

    /// Opens the database, hands it over and closes it again, however that ends.
    func withStore<Result>(
        _ console: Console, _ access: OpenStore.Access, _ body: (any JobStore) async throws -> Result
    ) async throws -> Result {
        let store = try await OpenStore.open(
            try url(console), access, created: { try console.say("created \(SafeText.line($0))") })
        let result: Result
        do {
            result = try await body(store)
        } catch {
            await store.close()
            throw error
        }
        await store.close()
        return result
    }

    /// For a command that a person is to copy: names the same database again where the option did.
    var argument: String {
        let named = database.map { " --database \(ShellText.quote($0))" } ?? ""
        return named + (schema.map { " --schema \(ShellText.quote($0))" } ?? "")
    }
}

struct FormatOptions: ParsableArguments {
    @Flag(help: "One JSON object a line.")
    var json = false
}
