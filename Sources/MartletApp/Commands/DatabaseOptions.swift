import ArgumentParser
import MartletCore
import MartletStore

struct DatabaseOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The database: sqlite:PATH, a path that ends in .db, or postgres://USER@HOST/NAME. Or set MARTLET_DATABASE_URL, or database in the martlet.yaml of this directory, in this order. (default: sqlite:martlet.db)",
            valueName: "url"))
    var database: String?

    @Option(
        help: ArgumentHelp(
            "The PostgreSQL schema that holds the queue; or ?schema=NAME in the URL. (default: martlet)", valueName: "name"))
    var schema: String?

    /// - Parameters:
    ///   - file: what a configuration file says that has been read.
    ///   - name: of that file; nil: what lies in this directory is read.
    func choice(_ console: Console, file: DatabaseURL? = nil, named name: String? = nil) throws -> DatabaseChoice {
        let choice = try anySchema(console, file: file, named: name)
        guard let schema else { return choice }
        return DatabaseChoice(url: try choice.url.with(schema: schema, field: "--schema"), source: choice.source)
    }

    private func anySchema(_ console: Console, file: DatabaseURL?, named name: String?) throws -> DatabaseChoice {
        if let database {
            return DatabaseChoice(url: try DatabaseURL(parsing: database, field: "--database"), source: .option)
        }
        if let variable = console.environment[DatabaseURL.variable], !variable.isEmpty {
            return DatabaseChoice(url: try DatabaseURL(parsing: variable, field: DatabaseURL.variable), source: .variable)
        }
        guard let url = name == nil ? try WorkerFile.databaseHere() : file else {
            return DatabaseChoice(url: .default, source: .standard)
        }
        return DatabaseChoice(url: url, source: .file(name ?? WorkerFile.standardName))
    }

    /// Does something with the database that was named; what is wrong with it is told with where it was named.
    func with<Result>(_ console: Console, _ body: (DatabaseURL) async throws -> Result) async throws -> Result {
        let choice = try choice(console)
        do {
            return try await body(choice.url)
        } catch let failure as Failure {
            throw choice.explain(failure)
        }
    }

    /// Opens the database, hands it over and closes it again, however that ends.
    func withStore<Result>(
        _ console: Console, _ access: OpenStore.Access, _ body: (any JobStore) async throws -> Result
    ) async throws -> Result {
        let store = try await with(console) { url in
            try await OpenStore.open(url, access, created: { try console.say("created \(SafeText.line($0))") })
        }
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
