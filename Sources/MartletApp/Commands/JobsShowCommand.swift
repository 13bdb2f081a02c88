import ArgumentParser
import MartletCore
import MartletStore

struct JobsShowCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Everything that is known of a job: errors of all attempts, result, timeline.",
        discussion: """
            Long args, results and traces are cut; --json has all of them.

            EXAMPLES:
              martlet jobs show 42
              martlet jobs show 42 --json | jq -r '.errors[-1].detail'
            """)

    @Argument(help: ArgumentHelp("Ids of jobs.", valueName: "id"))
    var ids: [String]

    @OptionGroup var format: FormatOptions
    @OptionGroup var database: DatabaseOptions

    func execute(_ console: Console) async throws -> ExitStatus {
        let ids = try ids.map { text throws(InvalidInput) in try Values.id(text) }
        return try await database.withStore(console, .existing) { store in
            var status = ExitStatus.done
            for (index, id) in ids.enumerated() {
                guard let job = try await store.job(id) else {
                    try console.say("martlet: job \(id) not found")
                    status = .notFound
                    continue
                }
                if format.json {
                    try console.output.write(JSONWriter(detail: job))
                } else {
                    let page = JobPageText(job, now: console.now(), style: console.output.style)
                    try console.output.write((index == 0 ? "" : "\n") + page.text)
                }
            }
            return status
        }
    }
}
