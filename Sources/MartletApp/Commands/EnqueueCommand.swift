import ArgumentParser
import MartletCore
import MartletStore
import MartletWorker

struct EnqueueCommand: Command {
    static let name = "enqueue"
    static let configuration = CommandConfiguration(
        commandName: name,
        // See App.enqueue(_:). Keeps the parser from trying first whether somebody asks for completions.
        _superCommandName: "martlet",
        abstract: "Bring one job, or a file of them.",
        discussion: """
            Prints the job's id.

            With --from, each line of the file is the args of one job. With --envelope it is an object with any of \
            \(EnvelopeReader.keys.joined(separator: ", ")). With --csv the first line names the keys of args, and all values \
            are strings.

            Jobs of a file are enqueued in batches, in its order. A bad line, a full disk or a signal ends the import with \
            what is in, what is not, and the --start-line to go on with.

            EXAMPLES:
              martlet enqueue resize '{"file": "a.png"}' --queue images --in 5m
              martlet enqueue report --at 2026-01-31T06:00:00Z --priority 2
              jq -c .rows[] export.json | martlet enqueue import-row --from -
              martlet enqueue mail --from people.csv --csv --delimiter ';'
            """)

    @Argument(help: "Which handler is to run it.")
    var kind: String

    @Argument(help: ArgumentHelp("What the handler gets, as JSON. (default: {})", valueName: "args-json"))
    var args: String?

    @Option(help: ArgumentHelp("Read args from a file; - is standard input.", valueName: "file"))
    var argsFile: String?

    @OptionGroup(title: "Job Options") var job: JobOptions
    @OptionGroup(title: "Import Options") var source: ImportOptions
    @OptionGroup var format: FormatOptions
    @OptionGroup var database: DatabaseOptions

    func execute(_ console: Console) async throws -> ExitStatus {
        try checkSources()
        if source.from != nil { return try await importFile(console) }
        let job = try newJob(console)
        let id = try await database.with(console) { url in
            try await OpenStore.enqueue(job, url, created: { try console.say("created \(SafeText.line($0))") })
        }
        if format.json {
            try console.output.write(JSONWriter(enqueued: id, job))
        } else {
            try console.output.write("\(id)\n")
        }
        return .done
    }

    /// Args come from one place.
    private func checkSources() throws(InvalidInput) {
        let given = [("ARGS-JSON", args), ("--args-file", argsFile), ("--from", source.from)].filter { $0.1 != nil }.map(\.0)
        guard given.count < 2 else {
            throw InvalidInput(field: given[1], reason: "cannot be used together with \(given[0])")
        }
        try source.check()
    }

    private func newJob(_ console: Console) throws -> NewJob {
        let limit = try job.argsLimit(console)
        return try job.newJob(kind: kind, args: try readArgs(limit: limit, console))
    }

    private func readArgs(limit: Int, _ console: Console) throws -> JSONText {
        if let args { return try JSONText(validating: args, field: "ARGS-JSON", maxBytes: limit) }
        guard let argsFile else { return .emptyObject }
        let bytes: [UInt8]
        do {
            bytes =
                argsFile == "-"
                ? try SmallFile.read(console.input, name: "standard input", limit: limit, field: "--args-file")
                : try SmallFile.read(argsFile, limit: limit, field: "--args-file")
        } catch let error as SmallFile.Missing {
            throw InvalidInput(field: "--args-file", reason: "cannot read \(argsFile): \(error.reason)")
        }
        return try JSONText(validating: bytes, field: "--args-file", maxBytes: limit)
    }
}
