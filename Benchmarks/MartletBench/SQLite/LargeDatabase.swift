import Foundation
import Logging
import Martlet

/// Succeeds, or fails with one of a few errors.
struct Mixed: Job, Codable {
    static let kind = "mixed"
    static let retry = RetryPolicy.delays([])
    let number: Int

    func run(_ context: JobContext) async throws {
        if number % 20 == 0 { throw Discard("cannot read record \(number) of table \(number % 3)") }
    }
}

/// Two million jobs in every state but running: a million completed, fifty thousand failed, the rest waiting.
enum LargeDatabase {
    static func largeCase(_ bench: Bench) async throws {
        try await withDirectory { directory in
            let path = directory.appendingPathComponent("martlet.db").path
            try await make(path)
            for arguments in [
                ["jobs", "list"], ["jobs", "list", "--state", "completed"],
                ["jobs", "list", "--state", "failed", "--kind", "mixed"],
                ["jobs", "list", "--state", "scheduled"], ["jobs", "list", "--state", "running"],
                ["jobs", "show", "1000001"], ["failed"], ["stats"], ["queues", "list"],
            ] {
                let values = try await bench.repeated { try await Programs.time(arguments, database: "sqlite:" + path) }
                bench.report("2 M jobs: martlet \(arguments.joined(separator: " "))", "ms", values, atMost: 100)
            }
        }
    }

    private static func make(_ path: String) async throws {
        let client = try await Client(.sqlite(path))
        let batch = Limits.enqueueBatch
        for start in stride(from: 0, to: 1_050_000, by: batch) {
            try await client.enqueue(contentsOf: (start..<start + batch).map { Mixed(number: $0) })
        }
        var configuration = Worker.Configuration()
        configuration.drain = true
        var logger = Logger(label: "bench")
        logger.logLevel = .critical
        try await Worker(client, jobs: [Mixed.self], configuration: configuration, logger: logger).run()
        for start in stride(from: 0, to: 900_000, by: batch) {
            try await client.enqueue(contentsOf: (start..<start + batch).map { Mixed(number: $0) }, priority: start % 10)
        }
        for start in stride(from: 0, to: 50_000, by: batch) {
            try await client.enqueue(contentsOf: (start..<start + batch).map { Mixed(number: $0) }, in: .seconds(86_400))
        }
        await client.close()
    }
}
