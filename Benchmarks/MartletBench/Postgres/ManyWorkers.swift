import Martlet

/// 200 connections that claim from one lane, against 4.
enum ManyWorkers {
    private static let jobs = 400_000
    private static let chunk = 100

    static func run(_ bench: Bench) async throws {
        let server = try bench.postgres()
        try await server.withDatabase { full in
            try await PostgresDrain.fill(full, jobs: jobs)
            var (few, many): ([Double], [Double]) = ([], [])
            for _ in 0..<bench.options.runs {
                few.append(try await server.withDatabase(copying: full) { try await claim($0, clients: 4) })
                many.append(try await server.withDatabase(copying: full) { try await claim($0, clients: 200) })
            }
            bench.report("4 connections claiming from one lane, 100 a claim", "jobs/s", few)
            bench.report("200 connections claiming from one lane", "jobs/s", many)
            bench.reportRatio("  of 4", many, of: few, atLeast: 0.7)
        }
    }

    private static func claim(_ database: BenchDatabase, clients: Int) async throws -> Double {
        try database.register(clients)
        let script = RawScripts.claimAndSettle(chunk: chunk, worker: ":client_id + 1")
        return try await database.pgbench(script, clients: clients, transactions: jobs / chunk) * Double(chunk)
    }
}
