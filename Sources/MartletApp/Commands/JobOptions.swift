import ArgumentParser
import MartletCore

/// What a job can be told besides its args.
struct JobOptions: ParsableArguments {
    static let argsLimitVariable = "MARTLET_MAX_ARGS_BYTES"

    @Option(help: "The queue it waits in. (default: default)")
    var queue: String?

    @Option(parsing: .unconditional, help: ArgumentHelp("0 (most urgent) to 9. (default: 5)", valueName: "number"))
    var priority: String?

    @Option(
        name: .customLong("in"), parsing: .unconditional,
        help: ArgumentHelp("Run it after this time: 250ms, 30s, 5m, 2h, 7d.", valueName: "duration"))
    var delay: String?

    @Option(
        name: .customLong("at"), parsing: .unconditional,
        help: ArgumentHelp("Run it at this time: 2026-01-31T06:00:00Z.", valueName: "time"))
    var moment: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Do not start it when this time has passed since it was enqueued.", valueName: "duration"))
    var expiresIn: String?

    @Option(
        parsing: .unconditional, help: ArgumentHelp("Do not start it after this time.", valueName: "time"))
    var expiresAt: String?

    @Option(
        parsing: .unconditional, help: ArgumentHelp("1 to 1000. (default: as configured for the kind)", valueName: "number"))
    var maxAttempts: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("How long one attempt may take. (default: as configured for the kind)", valueName: "duration"))
    var timeout: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Refuse larger args; or set \(argsLimitVariable). (default: 1048576)", valueName: "bytes"))
    var maxArgsBytes: String?

    func newJob(kind: String, args: JSONText) throws(InvalidInput) -> NewJob {
        let defaults = try defaults(kind: kind)
        do {
            return try defaults.job(args)
        } catch {
            throw InvalidInput(field: Self.option(for: error.field), reason: error.reason)
        }
    }

    /// Also what the lines of an import have unless they say otherwise.
    func defaults(kind: String) throws(InvalidInput) -> ImportDefaults {
        ImportDefaults(
            kind: try Values.name(kind, field: "KIND"),
            queue: try queue.map { text throws(InvalidInput) in try Values.name(text, field: "--queue") }
                ?? NewJob.defaultQueue,
            priority: try priority.map { text throws(InvalidInput) in try Values.priority(text) } ?? .default,
            start: try start(),
            maxAttempts: try Values.integer(maxAttempts, field: "--max-attempts", in: Limits.maxAttempts),
            timeout: try timeout.map { text throws(InvalidInput) in try Duration(parsing: text, field: "--timeout") },
            expires: try expires())
    }

    func argsLimit(_ console: Console) throws(InvalidInput) -> Int {
        // SQLite takes no value above a gigabyte, and a job's row holds more than its args.
        let range = 2...(512 << 20)
        if let maxArgsBytes { return try Values.integer(maxArgsBytes, field: "--max-args-bytes", in: range) }
        guard let variable = console.environment[Self.argsLimitVariable], !variable.isEmpty else { return Limits.argsBytes }
        return try Values.integer(variable, field: Self.argsLimitVariable, in: range)
    }

    private func start() throws(InvalidInput) -> NewJob.Start {
        switch (delay, moment) {
        case (nil, nil): return .now
        case (let delay?, nil): return .after(try Duration(parsing: delay, field: "--in"))
        case (nil, let moment?): return .at(try Timestamp(rfc3339: moment, field: "--at"))
        case (_?, _?): throw InvalidInput(field: "--at", reason: "cannot be used together with --in")
        }
    }

    private func expires() throws(InvalidInput) -> NewJob.Expiry? {
        switch (expiresIn, expiresAt) {
        case (nil, nil): return nil
        case (let time?, nil): return .after(try Duration(parsing: time, field: "--expires-in"))
        case (nil, let moment?): return .at(try Timestamp(rfc3339: moment, field: "--expires-at"))
        case (_?, _?): throw InvalidInput(field: "--expires-at", reason: "cannot be used together with --expires-in")
        }
    }

    /// The core names fields as they are stored; here they are options.
    private static func option(for field: String) -> String {
        switch field {
        case "kind": "KIND"
        case "queue", "priority", "in", "at", "timeout": "--\(field)"
        case "max_attempts": "--max-attempts"
        case "expires_in": "--expires-in"
        case "expires_at": "--expires-at"
        default: field
        }
    }
}
