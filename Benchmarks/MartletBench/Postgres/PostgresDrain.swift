import Foundation
import Martlet

/// One worker process against the raw claim and settle functions, on copies of the same million waiting jobs.
enum PostgresDrain {
    private static let jobs = 1_000_000
    private static let chunk = 500

    static func run(_ bench: Bench) async throws {
        let server = try bench.postgres()
        try await server.withDatabase { full in
            try await fill(full, jobs: jobs)
            var (one, two, ours, cost): ([Double], [Double], [Double], [Double]) = ([], [], [], [])
            for _ in 0..<bench.options.runs {
                one.append(try await server.withDatabase(copying: full) { try await raw($0, clients: 1) })
                let (rate, cpu) = try await server.withDatabase(copying: full) { try await worker($0) }
                ours.append(rate)
                cost.append(cpu)
                two.append(try await server.withDatabase(copying: full) { try await raw($0, clients: 2) })
            }
            bench.report("raw claim and settle, 500 a claim, 1 client", "jobs/s", one)
            bench.report("raw claim and settle, 500 a claim, 2 clients", "jobs/s", two)
            bench.report("drain of 1 M waiting no-op jobs", "jobs/s", ours)
            bench.reportRatio("  of the floor with 1 client", ours, of: one, atLeast: 0.7)
            bench.report("  processor time of the worker", "µs/job", cost, atMost: 3)
        }
    }

    static func fill(_ database: BenchDatabase, jobs: Int) async throws {
        let client = try await Client(.postgres(database.url))
        try await Load.bulk(client, jobs: jobs)
        await client.close()
    }

    /// - Parameter completed: in the database when it is done, where that is more than these.
    static func raw(
        _ database: BenchDatabase, clients: Int, jobs: Int = jobs, chunk: Int = chunk, completed: Int? = nil
    ) async throws -> Double {
        try database.register()
        let rate = try await database.pgbench(
            RawScripts.claimAndSettle(chunk: chunk), clients: clients, transactions: jobs / chunk)
        try check(database, completed: completed ?? jobs / chunk / clients * clients * chunk)
        return rate * Double(chunk)
    }

    /// - Parameter jobs: all that there are.
    static func worker(_ database: BenchDatabase, jobs: Int = jobs) async throws -> (rate: Double, cost: Double) {
        let client = try await Client(.postgres(database.url))
        let before = ProcessTime.own()
        let time = try await seconds { try await Load.drain(client) }
        let used = ProcessTime.own() - before
        await client.close()
        try check(database, completed: jobs)
        return (Double(jobs) / time, used / Double(jobs) * 1e6)
    }

    /// Everything settled, and the history still there.
    private static func check(_ database: BenchDatabase, completed: Int) throws {
        let found = try database.number("select coalesce(sum(completed), 0) from martlet.lease")
        guard Int(found) == completed else { throw Failure("\(Int(found)) of \(completed) jobs are completed") }
    }
}
