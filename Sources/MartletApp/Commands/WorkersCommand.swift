import ArgumentParser
import MartletStore

struct WorkersCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "workers", abstract: "Worker processes, what they serve and when they were last heard of.",
        discussion: """
            MEMORY is what a worker has now, and the most it had; LAG how long a task waited for a thread of late, and the longest \
            ever. A kind is followed by how many of its jobs may run at a time. Below it says what is out of the ordinary, and why \
            a kind with concurrency: auto has the number it has.

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
            ("HEARD OF", .left), ("MEMORY", .left), ("LAG", .left), ("VERSION", .left), ("QUEUES", .left), ("KINDS", .left))
        let reports = workers.map { $0.report.flatMap(WorkerReport.init) ?? WorkerReport() }
        for (worker, report) in zip(workers, reports) {
            table.add([
                .init("\(worker.id)"), .init(worker.name, .bold),
                worker.alive ? .init("alive", .green) : .init("dead", .red),
                .init("\(worker.running)/\(worker.concurrency)"), .init(RelativeTime.text(worker.startedAt, now: now)),
                .init(RelativeTime.text(worker.heartbeatAt, now: now)),
                .init(worker.alive ? report.memoryText : "-"), .init(worker.alive ? report.lagText : "-"),
                .init(worker.version),
                .init(worker.queues?.joined(separator: ", ") ?? "all"),
                .init(worker.kinds.map(report.kindText).joined(separator: ", ")),
            ])
        }
        try console.output.write(table.rendered(on: console.output))
        for (worker, report) in zip(workers, reports) where worker.alive {
            for line in report.noteworthy {
                try console.output.write("\(SafeText.line(worker.name)): \(SafeText.line(line))\n")
            }
        }
    }
}
