import Foundation
import Martlet
import MartletCore
import MartletStore

/// Four processes that enqueue and two that run, on one file, against one process that does both.
enum Processes {
    private static let jobs = 400_000
    private static let producers = 4
    private static let workers = 2

    static func run(_ bench: Bench) async throws {
        var (one, many): ([Double], [Double]) = ([], [])
        for _ in 0..<bench.options.runs {
            one.append(
                try await rate { database, _ in
                    let client = try await Client(.sqlite(database))
                    try await work(client) { try await Load.bulk(client, jobs: jobs) }
                    await client.close()
                })
            many.append(try await rate(several))
        }
        bench.report("enqueued and run by one process", "jobs/s", one)
        bench.report("enqueued by \(producers) processes, run by \(workers) others", "jobs/s", many)
        bench.reportRatio("  of one process", many, of: one, atLeast: 0.5)
    }

    /// All of it, from the first job to the last that is settled.
    private static func rate(_ body: (String, URL) async throws -> Void) async throws -> Double {
        try await withDirectory { directory in
            let database = directory.appendingPathComponent("bench.db").path
            // The file and its tables are there before anybody starts.
            await (try Client(.sqlite(database))).close()
            let time = try await seconds { try await body(database, directory) }
            let client = try await Client(.sqlite(database))
            let done = try await client.store.stats().counts[.completed] ?? 0
            await client.close()
            guard done == jobs else { throw Failure("\(done) of \(jobs) jobs are completed") }
            return Double(jobs) / time
        }
    }

    private static func several(_ database: String, _ directory: URL) async throws {
        let program = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
        let enough = directory.appendingPathComponent("enough")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<workers {
                group.addTask {
                    _ = try await Programs.output(program, ["work", database, enough.path], in: directory)
                }
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<producers {
                    group.addTask {
                        _ = try await Programs.output(program, ["fill", database, "\(jobs / producers)"], in: directory)
                    }
                }
                try await group.waitForAll()
            }
            try Data().write(to: enough)
            try await group.waitForAll()
        }
    }

    /// Runs jobs while the body enqueues them, and then what is left.
    private static func work(_ client: Client, while body: () async throws -> Void) async throws {
        let worker = try Worker(client, jobs: [Nothing.self], logger: Load.logger)
        let running = Task.detached { try await worker.run() }
        try await body()
        running.cancel()
        try await running.value
        try await Load.drain(client)
    }

    // MARK: The other processes

    static func fill(_ database: String, jobs: Int) async throws {
        let client = try await Client(.sqlite(database))
        try await Load.bulk(client, jobs: jobs)
        await client.close()
    }

    /// - Parameter enough: a file that appears when the last job is enqueued.
    static func work(_ database: String, until enough: String) async throws {
        let client = try await Client(.sqlite(database))
        try await work(client) {
            while !FileManager.default.fileExists(atPath: enough) { try await Task.sleep(for: .milliseconds(2)) }
        }
        await client.close()
    }
}
