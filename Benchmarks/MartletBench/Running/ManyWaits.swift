import Foundation
import Martlet

/// Jobs that only wait, all side by side: what the worker adds to the longest of them.
enum ManyWaits {
    static func run(_ bench: Bench) async throws {
        let hundred = try await bench.rounds { try await time(jobs: 100, milliseconds: 500) }
        bench.report("100 jobs of 0.5 s, side by side", "s", hundred, atMost: 0.53)
        let thousands = try await bench.rounds { try await time(jobs: 5_000, milliseconds: 1_000) }
        bench.report("5 000 jobs of 1 s, side by side", "s", thousands, atMost: 1.1)
    }

    /// - Returns: seconds from the worker's start to its end.
    private static func time(jobs: Int, milliseconds: Int) async throws -> Double {
        try await withDirectory { directory in
            let client = try await Client(.sqlite(directory.appendingPathComponent("bench.db").path))
            try await client.enqueue(
                contentsOf: [Waiting](repeating: Waiting(milliseconds: milliseconds), count: jobs))
            var configuration = Worker.Configuration()
            configuration.concurrency = jobs
            configuration.drain = true
            let worker = try Worker(client, jobs: [Waiting.self], configuration: configuration, logger: Load.logger)
            let time = try await seconds { try await worker.run() }
            await client.close()
            return time
        }
    }
}
