import Foundation
import Logging
import Martlet
import Synchronization

/// About 100 bytes of JSON.
struct Nothing: Job, Codable {
    static let kind = "nothing"
    var number: Int
    var recipient = "somebody@example.com"
    var subject = "Your order has been shipped and will arrive soon"

    func run(_ context: JobContext) async throws {}
}

enum Throughput {
    static func bulkEnqueue(jobs total: Int) async throws -> Double {
        try await withDirectory { directory in
            let client = try await Client(.sqlite(directory.appendingPathComponent("bench.db").path))
            let batch = Limits.enqueueBatch
            let time = try await seconds {
                // Two batches under way: one is encoded while the other is written.
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for start in stride(from: 0, to: total, by: batch) {
                        if start >= 2 * batch { try await group.next() }
                        group.addTask {
                            _ = try await client.enqueue(contentsOf: (start..<start + batch).map { Nothing(number: $0) })
                        }
                    }
                    try await group.waitForAll()
                }
            }
            await client.close()
            return Double(total) / time
        }
    }

    static func singleEnqueue(tasks: Int, each: Int) async throws -> Double {
        try await withDirectory { directory in
            let client = try await Client(.sqlite(directory.appendingPathComponent("bench.db").path))
            let time = try await seconds {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for task in 0..<tasks {
                        group.addTask {
                            for number in 0..<each { try await client.enqueue(Nothing(number: task * each + number)) }
                        }
                    }
                    try await group.waitForAll()
                }
            }
            await client.close()
            return Double(tasks * each) / time
        }
    }

    static func drain(jobs total: Int) async throws -> Double {
        try await withDirectory { directory in
            let path = directory.appendingPathComponent("bench.db").path
            let client = try await Client(.sqlite(path))
            for start in stride(from: 0, to: total, by: Limits.enqueueBatch) {
                try await client.enqueue(contentsOf: (start..<start + Limits.enqueueBatch).map { Nothing(number: $0) })
            }
            var configuration = Worker.Configuration()
            configuration.drain = true
            var logger = Logger(label: "bench")
            logger.logLevel = .error
            let worker = try Worker(client, jobs: [Nothing.self], configuration: configuration, logger: logger)
            let time = try await seconds { try await worker.run() }
            await client.close()
            return Double(total) / time
        }
    }
}
