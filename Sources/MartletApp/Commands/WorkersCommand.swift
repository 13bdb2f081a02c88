import ArgumentParser
import MartletStore

struct WorkersCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "workers", abstract: "Worker processes, what they serve and when they were last heard of.",
        discussion: """
            EXAMPLES:
              martlet workers
              martlet workers --json | jq -r 'select(.alive | not) | .name'
            """)

    @OptionGroup var format: FormatOptions
    @OptionGroup var database: DatabaseOptions

    func execute(_ console: Console) async throws -> ExitStatus {
        try await database.withStore(console, .existing) { store in
            let workers = try await store.workers()
            if format.json {
                try console.output.write(workers.flatMap { JSONWriter(worker: $0).bytes + [UInt8(ascii: "\n")] })
            } else {
                try show(workers, console)
            }
            return .done
        }
    }

    private func show(_ workers: [WorkerSummary], _ console: Console) throws {
        guard !workers.isEmpty else { return try console.say("no workers; `martlet worker` starts one") }
        let now = console.now()
        var table = Table(
            ("ID", .right), ("NAME", .left), ("STATE", .left), ("RUNNING", .right), ("STARTED", .left),
            ("HEARD OF", .left), ("VERSION", .left), ("QUEUES", .left), ("KINDS", .left))
        for worker in workers {
            table.add([
                .init("\(worker.id)"), .init(worker.name, .bold),
                worker.alive ? .init("alive", .green) : .init("dead", .red),
                .init("\(worker.running)/\(worker.concurrency)"), .init(RelativeTime.text(worker.startedAt, now: now)),
                .init(RelativeTime.text(worker.heartbeatAt, now: now)), .init(worker.version),
                .init(worker.queues?.joined(separator: ", ") ?? "all"), .init(worker.kinds.joined(separator: ", ")),
            ])
        }
        try console.output.write(table.rendered(on: console.output))
        for worker in workers {
            for line in worker.report.flatMap(WorkerReport.init)?.noteworthy ?? [] {
                try console.output.write("\(SafeText.line(worker.name)): \(SafeText.line(line))\n")
            }
        }
    }
}
