import ArgumentParser
import MartletCore
import MartletStore

struct FailedCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "failed",
        abstract: "Failed jobs grouped by kind and error, newest first, each with the command to retry it.",
        usage: "martlet failed [<options>]",
        discussion: """
            Errors are the same when they differ only in numbers, names and addresses.

            EXAMPLES:
              martlet failed
              martlet failed --kind resize --since 1h
              martlet failed --json | jq -r .retry
            """)

    @Option(help: "Only this kind.")
    var kind: String?

    @Option(help: ArgumentHelp("Seen last at this time or later, or at most this long ago (1h).", valueName: "time"))
    var since: String?

    @Option(parsing: .unconditional, help: "At most this many groups. (default: 20)")
    var limit: String?

    @OptionGroup var format: FormatOptions
    @OptionGroup var database: DatabaseOptions

    func execute(_ console: Console) async throws -> ExitStatus {
        let limit = try Values.integer(self.limit ?? "20", field: "--limit", in: 1...10_000)
        let kind = try self.kind.map { text throws(InvalidInput) in try Values.name(text, field: "--kind") }
        let since = try self.since.map { text throws(InvalidInput) in try Values.since(text, now: console.now()) }
        return try await database.withStore(console, .existing) { store in
            // Groups are few, however many jobs there are in them.
            let all = try await store.failures(limit: kind == nil && since == nil ? limit : 10_000)
            let groups = all.filter { group in
                (kind.map { $0 == group.kind } ?? true) && (since.map { $0 <= group.lastSeen } ?? true)
            }.prefix(limit)
            if groups.isEmpty, !format.json { try console.say("no failed jobs") }
            for (index, group) in groups.enumerated() {
                if format.json {
                    try console.output.write(JSONWriter(group: group, retry: retry(group)))
                } else {
                    try console.output.write((index == 0 ? "" : "\n") + text(group, console))
                }
            }
            return .done
        }
    }

    private func retry(_ group: FailureGroup) -> String {
        "martlet jobs retry --state failed --kind \(ShellText.quote(group.kind)) "
            + "--error \(ShellText.quote(group.fingerprint)) --yes\(database.argument)"
    }

    private func text(_ group: FailureGroup, _ console: Console) -> String {
        let now = console.now()
        let style = console.output.style
        let count = "\(Counted.grouped(group.count))×"
        let width =
            console.output.terminal.map { $0.width - TextWidth.of(count + group.kind) - 4 } ?? Table.widestPipedCell
        let error = TextWidth.cut(SafeText.line("\(group.type): \(group.message)"), to: max(width, 20))
        let (last, first) = (RelativeTime.text(group.lastSeen, now: now), RelativeTime.text(group.firstSeen, now: now))
        let seen = group.count == 1 || last == first ? last : "last \(last), first \(first)"
        return """
            \(style.paint(count, .red))  \(style.paint(SafeText.line(group.kind), .bold))  \(error)
                \(style.paint("\(seen); martlet jobs show \(group.example)\(database.argument)", .dim))
                \(retry(group))

            """
    }
}
