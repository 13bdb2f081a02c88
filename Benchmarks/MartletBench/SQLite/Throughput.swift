import Foundation
import Martlet

enum Throughput {
    static func enqueueCase(_ bench: Bench) async throws {
        let values = try await bench.repeated { try await bulkEnqueue(jobs: 1_000_000) }
        bench.report("bulk enqueue of 1 M jobs", "jobs/s", values, atLeast: 300_000)
    }

    static func singleCase(_ bench: Bench) async throws {
        let values = try await bench.repeated { try await singleEnqueue(tasks: 64, each: 2_000) }
        bench.report("64 tasks enqueueing one job at a time", "jobs/s", values, atLeast: 50_000)
    }

    static func drainCase(_ bench: Bench) async throws {
        let values = try await bench.repeated { try await drain(jobs: 1_000_000) }
        bench.report("drain of 1 M waiting no-op jobs", "jobs/s", values, atLeast: 250_000)
    }

    private static func bulkEnqueue(jobs total: Int) async throws -> Double {
        try await withDirectory { directory in
            let client = try await Client(.sqlite(directory.appendingPathComponent("bench.db").path))
            let time = try await seconds { try await Load.bulk(client, jobs: total) }
            await client.close()
            return Double(total) / time
        }
    }

    private static func singleEnqueue(tasks: Int, each: Int) async throws -> Double {
        try await withDirectory { directory in
            let client = try await Client(.sqlite(directory.appendingPathComponent("bench.db").path))
            let time = try await seconds { try await Load.singles(client, tasks: tasks, each: each) }
            await client.close()
            return Double(tasks * each) / time
        }
    }

    private static func drain(jobs total: Int) async throws -> Double {
        try await withDirectory { directory in
            let client = try await Client(.sqlite(directory.appendingPathComponent("bench.db").path))
            try await Load.bulk(client, jobs: total)
            let time = try await seconds { try await Load.drain(client) }
            await client.close()
            return Double(total) / time
        }
    }
}
