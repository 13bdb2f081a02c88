import Logging
import Martlet

/// About 100 bytes of JSON.
struct Nothing: Job, Codable {
    static let kind = "nothing"
    var number: Int
    var recipient = "somebody@example.com"
    var subject = "Your order has been shipped and will arrive soon"

    func run(_ context: JobContext) async throws {}
}

/// What both engines are measured with, through the library alone.
enum Load {
    /// Three batches under way: one is encoded while others are written.
    static func bulk(_ client: Client, jobs total: Int) async throws {
        let batch = Limits.enqueueBatch
        try await withThrowingTaskGroup(of: Void.self) { group in
            for start in stride(from: 0, to: total, by: batch) {
                if start >= 3 * batch { try await group.next() }
                let range = start..<min(start + batch, total)
                group.addTask { _ = try await client.enqueue(contentsOf: range.map { Nothing(number: $0) }) }
            }
            try await group.waitForAll()
        }
    }

    static func singles(_ client: Client, tasks: Int, each: Int) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for task in 0..<tasks {
                group.addTask {
                    for number in 0..<each { try await client.enqueue(Nothing(number: task * each + number)) }
                }
            }
            try await group.waitForAll()
        }
    }

    static func drain(_ client: Client) async throws {
        var configuration = Worker.Configuration()
        configuration.drain = true
        try await Worker(client, jobs: [Nothing.self], configuration: configuration, logger: logger).run()
    }

    static var logger: Logger {
        var logger = Logger(label: "bench")
        logger.logLevel = .error
        return logger
    }
}
