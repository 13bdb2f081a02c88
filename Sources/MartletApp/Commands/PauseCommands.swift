import ArgumentParser
import MartletCore
import MartletStore

struct QueuesPauseCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "pause", abstract: "Hand out no more jobs of a queue.",
        discussion: """
            For all workers, until it is resumed. What runs goes on, new jobs may come, and everything else works as before; \
            kinds that the queue does not hold yet are paused, too.

            With --json: {"queue", "paused", "changed"} a line.

            EXAMPLES:
              martlet queues pause images
            """)

    @OptionGroup var pause: PauseOptions

    func execute(_ console: Console) async throws -> ExitStatus { try await pause.execute(true, console) }
}

struct QueuesResumeCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Hand out jobs of a paused queue again.",
        discussion: """
            With --json: {"queue", "paused", "changed"} a line.

            EXAMPLES:
              martlet queues resume images
            """)

    @OptionGroup var pause: PauseOptions

    func execute(_ console: Console) async throws -> ExitStatus { try await pause.execute(false, console) }
}

struct PauseOptions: ParsableArguments {
    @Argument(help: ArgumentHelp("Names of queues.", valueName: "name"))
    var names: [String]

    @OptionGroup var format: FormatOptions
    @OptionGroup var database: DatabaseOptions

    func execute(_ isPaused: Bool, _ console: Console) async throws -> ExitStatus {
        let names = try names.map { text throws(InvalidInput) in try Values.name(text, field: "NAME") }
        return try await database.withStore(console, .existing) { store in
            for name in names {
                let hasChanged = try await store.pause(queue: name, isPaused)
                if format.json {
                    try console.output.write(JSONWriter(queue: name, isPaused: isPaused, hasChanged: hasChanged))
                } else {
                    try console.output.write(text(name, isPaused, hasChanged))
                }
            }
            return .done
        }
    }

    private func text(_ name: String, _ isPaused: Bool, _ hasChanged: Bool) -> String {
        let state = isPaused ? "paused" : "resumed"
        return hasChanged ? "\(state) \(name)\n" : "\(name) was \(isPaused ? "paused" : "not paused") already\n"
    }
}
