import ArgumentParser
import MartletCore
import MartletStore

struct StatsCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "stats", abstract: "Jobs per state, and how long the oldest available one has waited.",
        discussion: """
            EXAMPLES:
              martlet stats
              martlet stats --json | jq .counts.failed
            """)

    @OptionGroup var format: FormatOptions
    @OptionGroup var database: DatabaseOptions

    func execute(_ console: Console) async throws -> ExitStatus {
        try await database.withStore(console, .existing) { store in
            let stats = try await store.stats()
            if format.json {
                try console.output.write(JSONWriter(stats: stats))
            } else {
                try console.output.write(text(stats, console.output))
            }
            return .done
        }
    }

    private func text(_ stats: StoreStats, _ stream: Outlet) -> String {
        var table = Table(("STATE", .left), ("JOBS", .right), ("", .left))
        for state in JobState.allCases {
            let count = stats.counts[state] ?? 0
            let oldest = state == .available ? stats.oldestAvailable.map { "oldest waits \(RelativeTime.span($0))" } : nil
            table.add([
                .init(state.rawValue, count > 0 ? state.ink : .dim), .init(Counted.grouped(count)),
                .init(oldest ?? "", .dim),
            ])
        }
        return table.rendered(on: stream)
    }
}
