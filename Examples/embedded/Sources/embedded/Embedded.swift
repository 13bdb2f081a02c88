import Foundation
import Martlet

/// Counts the words of one file.
struct CountWords: Job, Codable {
    static let kind = "count-words"
    static let retry = RetryPolicy.delays([.milliseconds(100)])
    let file: String

    func run(_ context: JobContext) async throws {
        guard FileManager.default.fileExists(atPath: file) else { throw Discard("\(file) does not exist") }
        let text = try String(contentsOfFile: file, encoding: .utf8)
        print("job \(context.id): \(file) has \(text.split(whereSeparator: \.isWhitespace).count) words")
    }
}

/// Enqueues a job for each file named on the command line, then works until none is left.
@main struct Embedded {
    static func main() async throws {
        // Should a job ever crash the program, its next run is in a process of its own, which begins and ends here.
        await Worker.runAsChild(jobs: [CountWords.self])
        let database = Database.sqlite(ProcessInfo.processInfo.environment["DATABASE"] ?? "embedded.db")
        let client = try await Client(database)
        let ids = try await client.enqueue(contentsOf: CommandLine.arguments.dropFirst().map { CountWords(file: $0) })
        print("enqueued \(ids.count) jobs")

        var configuration = Worker.Configuration()
        configuration.concurrency = 4
        configuration.drain = true
        try await Worker(client, jobs: [CountWords.self], configuration: configuration)
            .run(stoppingOn: [.sigterm, .sigint])
        await client.close()
    }
}
