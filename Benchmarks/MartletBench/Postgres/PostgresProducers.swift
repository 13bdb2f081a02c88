import Martlet

/// Does a busy worker slow producers down, by notifications or otherwise? 16 that speak SQL, with and without one.
enum PostgresProducers {
    private static let clients = 16
    private static let jobs = 160_000

    static func run(_ bench: Bench) async throws {
        let server = try bench.postgres()
        var (alone, beside): ([Double], [Double]) = ([], [])
        for _ in 0..<bench.options.runs {
            alone.append(try await server.withDatabase(enqueue))
            beside.append(
                try await server.withDatabase { database in
                    let client = try await Client(.postgres(database.url))
                    let worker = try Worker(client, jobs: [Nothing.self], logger: Load.logger)
                    let running = Task.detached { try await worker.run() }
                    let rate = try await enqueue(database)
                    running.cancel()
                    try await running.value
                    await client.close()
                    return rate
                })
        }
        bench.report("16 SQL clients calling enqueue, no worker", "jobs/s", alone)
        bench.report("16 SQL clients calling enqueue, a worker running all", "jobs/s", beside)
        bench.reportRatio("  of those without", beside, of: alone, atLeast: 0.85)
    }

    private static func enqueue(_ database: BenchDatabase) async throws -> Double {
        // A lane that nobody has claimed from yet notifies with every job. Once somebody has, and is not asleep, none does.
        try database.register()
        try database.psql("\(RawScripts.enqueue) select from martlet.claim(1, array['nothing'], array[1], null, 1)")
        return try await database.pgbench(RawScripts.enqueue, clients: clients, transactions: jobs)
    }
}
