import ArgumentParser
import MartletCore
import MartletStore

struct QueuesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queues", abstract: "What waits in each queue, and who serves it; pause and resume.",
        discussion: """
            EXAMPLES:
              martlet queues
              martlet queues list --json | jq 'select(.served | not)'
              martlet queues pause images
            """,
        subcommands: [QueuesListCommand.self, QueuesPauseCommand.self, QueuesResumeCommand.self],
        defaultSubcommand: QueuesListCommand.self)
}

struct QueuesListCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Counts per queue and kind, the oldest job that waits, live workers.",
        discussion: """
            EXAMPLES:
              martlet queues list
              martlet queues list --json | jq 'select(.served | not)'
            """)

    @OptionGroup var format: FormatOptions
    @OptionGroup var database: DatabaseOptions

    func execute(_ console: Console) async throws -> ExitStatus {
        try await database.withStore(console, .existing) { store in
            let queues = try await store.queues().sorted { ($0.queue, $0.kind) < ($1.queue, $1.kind) }
            if format.json {
                try console.output.write(queues.flatMap { JSONWriter(queue: $0).bytes + [UInt8(ascii: "\n")] })
            } else {
                try show(queues, console)
            }
            return .done
        }
    }

    private func show(_ queues: [QueueSummary], _ console: Console) throws {
        guard !queues.isEmpty else { return try console.say("no queues yet; the first job makes one") }
        var table = Table(
            ("QUEUE", .left), ("KIND", .left), ("AVAIL", .right), ("OLDEST", .right), ("RUN", .right),
            ("SCHED", .right), ("RETRY", .right), ("FAILED", .right), ("DONE", .right), ("WORKERS", .right))
        for queue in queues {
            func count(_ state: JobState) -> Table.Cell {
                let count = queue.counts[state] ?? 0
                return .init(Counted.grouped(count), count == 0 ? .dim : state.ink)
            }
            table.add([
                .init(queue.queue + (queue.isPaused ? " (paused)" : ""), queue.isPaused ? .yellow : .plain),
                .init(queue.kind, .bold), count(.available),
                .init(queue.oldestAvailable.map(RelativeTime.span) ?? "-", queue.oldestAvailable == nil ? .dim : .plain),
                count(.running), count(.scheduled), count(.retryable), count(.failed), count(.completed),
                queue.workers > 0 ? .init("\(queue.workers)") : .init("none", queue.waiting > 0 ? .yellow : .dim),
            ])
        }
        try console.output.write(table.rendered(on: console.output))
        for queue in queues where queue.isStranded { try console.say("martlet: \(queue.strandedText)") }
    }
}

extension QueueSummary {
    /// Jobs that want a worker, now or later.
    var waiting: Int {
        [JobState.available, .scheduled, .retryable].reduce(0) { $0 + (counts[$1] ?? 0) }
    }

    var isStranded: Bool { workers == 0 && waiting > 0 }

    var strandedText: String {
        "\(Counted.jobs(waiting)) of kind \(SafeText.line(kind)) \(waiting == 1 ? "waits" : "wait") "
            + "in queue \(SafeText.line(queue)), and no live worker serves that"
    }

    /// What to do about jobs that nobody serves.
    var remedy: String {
        let isLeft = kind == BenchName.kind && BenchName(queue: queue) != nil
        return isLeft
            ? "a bench that was killed has left them; martlet bench --clean removes them"
            : "start a worker whose martlet.yaml declares \(SafeText.line(kind))"
    }
}
