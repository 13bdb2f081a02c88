import ArgumentParser
import MartletCore
import MartletStore

struct JobsListCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List jobs, newest first.",
        usage: "martlet jobs list [<options>]",
        discussion: """
            Stops at --limit, and says on standard error how to go on: with --after and the last object's `cursor`.

            EXAMPLES:
              martlet jobs list --state failed --kind resize --since 1h
              martlet jobs list --json --limit 1000 | jq -r .id
            """)

    @Option(
        help: ArgumentHelp(
            "Only this state: \(JobState.allCases.map(\.rawValue).joined(separator: ", ")).", valueName: "state"))
    var state: String?

    @OptionGroup var filter: FilterOptions

    @Option(parsing: .unconditional, help: "At most this many jobs. (default: 50)")
    var limit: String?

    @Option(parsing: .unconditional, help: ArgumentHelp("Go on after the job with this cursor.", valueName: "cursor"))
    var after: String?

    @OptionGroup var format: FormatOptions
    @OptionGroup var database: DatabaseOptions

    /// One query's worth; longer listings take several, so that none holds the database for long.
    private static let page = 1_000

    func execute(_ console: Console) async throws -> ExitStatus {
        var query = JobQuery(
            state: try state.map { text throws(InvalidInput) in try Values.state(text) },
            filter: try filter.filter(now: console.now()))
        let limit = try Values.integer(self.limit ?? "50", field: "--limit", in: 1...Int.max)
        query.after = try Values.integer(after, field: "--after", in: 0...Int.max).map { Int64($0) }
        return try await database.withStore(console, .existing) { store in
            let jobs = JobTable(now: console.now())
            try await show(store, query, limit: limit, table: jobs, console)
            return .done
        }
    }

    private func show(
        _ store: any JobStore, _ first: JobQuery, limit: Int, table first_: JobTable, _ console: Console
    ) async throws {
        var query = first
        var table = first_
        var remaining = limit
        var next: Int64?
        repeat {
            query.limit = min(remaining, Self.page)
            let page = try await store.list(query)
            remaining -= page.jobs.count
            next = page.jobs.isEmpty ? nil : page.next
            query.after = next
            if format.json {
                try console.output.write(page.jobs.flatMap { JSONWriter(job: $0).bytes + [UInt8(ascii: "\n")] })
            } else {
                page.jobs.forEach { table.add($0) }
            }
        } while remaining > 0 && next != nil
        if !format.json {
            guard !table.isEmpty else { return try console.say("no jobs") }
            try console.output.write(table.rendered(on: console.output))
        }
        if let next { try console.say("more: --after \(next)") }
    }
}
