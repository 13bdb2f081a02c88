import Foundation
import Martlet

/// Waits a millisecond, as for a reply.
struct OneMillisecond: Job, Codable {
    static let kind = "one_millisecond"
    var number: Int
    var recipient = "somebody@example.com"
    var subject = "Your order has been shipped and will arrive soon"

    func run(_ context: JobContext) async throws { try await Task.sleep(for: .milliseconds(1)) }
}

/// How many jobs a worker runs at a time, and what that brings: jobs that do nothing, and jobs that wait. In one database, each
/// point with jobs of its own and after a checkpoint.
enum Concurrency {
    private static let limits = [1, 4, 16, 64, 256, 1_000, 2_000]
    private static let most = 500_000

    static func run(_ bench: Bench) async throws {
        let server = try bench.postgres()
        var (nothing, waiting): ([Int: [Double]], [Int: [Double]]) = ([:], [:])
        try await server.withDatabase { database in
            for _ in 0..<bench.options.runs {
                for limit in limits {
                    // Some seconds' worth of either.
                    nothing[limit, default: []].append(
                        try await point(database, min(most, limit * 100_000), at: limit) { Nothing(number: $0) })
                    waiting[limit, default: []].append(
                        try await point(database, min(most, limit * 3_000), at: limit) { OneMillisecond(number: $0) })
                }
            }
        }
        for limit in limits { bench.report("drain, no-op jobs, \(limit) at a time", "jobs/s", nothing[limit]!) }
        for limit in limits { bench.report("drain, jobs of 1 ms, \(limit) at a time", "jobs/s", waiting[limit]!) }
        bench.reportRatio("  1 ms at 2 000 of no-op at 1 000", waiting[2_000]!, of: nothing[1_000]!, atLeast: 0.6)
        for (name, rates) in [("no-op jobs", nothing), ("jobs that wait 1 ms", waiting)] {
            bench.draw("concurrency", name, x: limits.map(Double.init), y: limits.map { median(rates[$0]!) })
        }
    }

    private static func point<J: Job & Encodable>(
        _ database: BenchDatabase, _ jobs: Int, at limit: Int, _ make: @escaping @Sendable (Int) -> J
    ) async throws -> Double {
        let client = try await Client(.postgres(database.url))
        for start in stride(from: 0, to: jobs, by: Limits.enqueueBatch) {
            try await client.enqueue(contentsOf: (start..<min(start + Limits.enqueueBatch, jobs)).map(make))
        }
        await client.close()
        try database.psql("checkpoint")
        return try await drain(database, J.self, jobs, at: limit)
    }

    private static func drain<J: Job>(
        _ database: BenchDatabase, _ type: J.Type, _ jobs: Int, at limit: Int
    ) async throws -> Double {
        let client = try await Client(.postgres(database.url))
        var configuration = Worker.Configuration()
        configuration.drain = true
        configuration.concurrency = limit
        let worker = try Worker(client, jobs: [type], configuration: configuration, logger: Load.logger)
        let time = try await seconds { try await worker.run() }
        await client.close()
        return Double(jobs) / time
    }
}
