import Martlet

/// 200 connections that claim from one lane, against 4.
///
/// The first claim and the first settlement of a session plan their statements, some fifteen milliseconds of processor time; of
/// 200 sessions that is as long as all the claims of a short run. What is compared is the rate once every session has had its
/// first, and while none has ended; how long the first ones take is told beside it.
enum ManyWorkers {
    private static let jobs = 1_000_000
    private static let chunk = 100

    private struct Outcome {
        let rate: Double
        /// Seconds until each had settled its first lease.
        let warmUp: Double
    }

    static func run(_ bench: Bench) async throws {
        let server = try bench.postgres()
        try await server.withDatabase { full in
            try await PostgresDrain.fill(full, jobs: jobs)
            var (few, many): ([Outcome], [Outcome]) = ([], [])
            for _ in 0..<bench.options.runs {
                few.append(try await server.withDatabase(copying: full) { try await claim($0, clients: 4) })
                many.append(try await server.withDatabase(copying: full) { try await claim($0, clients: 200) })
            }
            bench.report("4 connections claiming from one lane, 100 a claim", "jobs/s", few.map(\.rate))
            bench.report("200 connections claiming from one lane", "jobs/s", many.map(\.rate))
            bench.reportRatio("  of 4", many.map(\.rate), of: few.map(\.rate), atLeast: 0.7)
            bench.report("  until each of the new sessions has had its first", "s", many.map(\.warmUp))
        }
    }

    private static func claim(_ database: BenchDatabase, clients: Int) async throws -> Outcome {
        try database.register(clients)
        let script = RawScripts.claimAndSettle(chunk: chunk, worker: ":client_id + 1")
        _ = try await database.pgbench(script, clients: clients, transactions: jobs / chunk)
        let sessions = """
            with settled as (select worker, completed, claimed_at, finished_at from martlet.lease where completed > 0),
              session as (select worker, min(finished_at) as first, max(finished_at) as last from settled group by worker),
              span as (select max(first) as start, min(last) as stop from session)
            """
        let count = try database.number("\(sessions) select count(*) from session")
        guard Int(count) == clients else { throw Failure("\(Int(count)) of \(clients) connections had a lease") }
        return Outcome(
            rate: try database.number(
                """
                \(sessions) select sum(completed) / extract(epoch from stop - start)
                from settled, span where finished_at > start and finished_at <= stop group by start, stop
                """),
            warmUp: try database.number(
                "\(sessions) select extract(epoch from start - (select min(claimed_at) from settled)) from span"))
    }
}
