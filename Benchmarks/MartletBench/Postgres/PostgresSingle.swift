import Martlet

/// 64 who each wait for their one job to be durable: tasks of one client, and connections of pgbench's.
enum PostgresSingle {
    private static let many = 64
    private static let each = 2_000

    static func run(_ bench: Bench) async throws {
        let server = try bench.postgres()
        var (inserts, ours): ([Double], [Double]) = ([], [])
        for _ in 0..<bench.options.runs {
            inserts.append(
                try await server.withDatabase { database in
                    try database.psql("select martlet.make_lanes(array['nothing'], array['default'], array[5])")
                    return try await database.pgbench(RawScripts.insert, clients: many, transactions: many * each / 2)
                })
            ours.append(
                try await server.withDatabase { database in
                    let client = try await Client(.postgres(database.url))
                    let time = try await seconds { try await Load.singles(client, tasks: many, each: each) }
                    await client.close()
                    return Double(many * each) / time
                })
        }
        bench.report("pgbench, 64 clients inserting one row at a time", "jobs/s", inserts)
        bench.report("64 tasks enqueueing one job at a time", "jobs/s", ours)
        bench.reportRatio("  of pgbench", ours, of: inserts, atLeast: 4)
    }
}
