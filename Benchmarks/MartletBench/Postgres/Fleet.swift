import Foundation
import Glibc
import Martlet

/// How far one database goes: more worker processes on it, two databases on one server, two servers; and where the
/// processor's time goes, which says what a second machine would bring.
enum Fleet {
    private static let jobs = 1_000_000

    static func run(_ bench: Bench) async throws {
        let server = try bench.postgres()
        let second = try BenchServer()
        try await server.withDatabase { full in
            try await PostgresDrain.fill(full, jobs: jobs)
            for workers in [1, 2, 4] {
                let runs = try await bench.rounds {
                    try await server.withDatabase(copying: full) { try await drain([$0], workersEach: workers) }
                }
                report(bench, "1 database, \(workers) worker processes", runs)
            }
        }
        try await withHalf(server) { half in
            let runs = try await bench.rounds {
                try await server.withDatabase(copying: half) { one in
                    try await server.withDatabase(copying: half) { try await drain([one, $0], workersEach: 1) }
                }
            }
            report(bench, "2 databases of 1 server, a process each", runs)
            try await withHalf(second) { other in
                let runs = try await bench.rounds {
                    try await server.withDatabase(copying: half) { one in
                        try await second.withDatabase(copying: other) { try await drain([one, $0], workersEach: 1) }
                    }
                }
                report(bench, "2 servers, a process each", runs)
            }
        }
    }

    private static func withHalf(_ server: BenchServer, _ body: (BenchDatabase) async throws -> Void) async throws {
        try await server.withDatabase { half in
            try await PostgresDrain.fill(half, jobs: jobs / 2)
            try await body(half)
        }
    }

    private struct Run {
        let rate: Double
        /// Seconds of processor time.
        let servers: Double
        let workers: Double
    }

    private static func report(_ bench: Bench, _ name: String, _ runs: [Run]) {
        bench.report(name, "jobs/s", runs.map(\.rate))
        bench.report("  processor time of the server", "µs/job", runs.map { $0.servers / Double(jobs) * 1e6 })
        bench.report("  processor time of the workers", "µs/job", runs.map { $0.workers / Double(jobs) * 1e6 })
    }

    private static func drain(_ databases: [BenchDatabase], workersEach: Int) async throws -> Run {
        let postmasters = Set(
            try databases.map { pid_t(try $0.number("select split_part(pg_read_file('postmaster.pid'), E'\\n', 1)")) })
        let before = try postmasters.map(serverTime).reduce(0, +)
        var workers = 0.0
        let time = try await seconds {
            workers = try await withThrowingTaskGroup(of: Double.self) { group in
                for database in databases {
                    for _ in 0..<workersEach { group.addTask { try await worker(database.url) } }
                }
                return try await group.reduce(0, +)
            }
        }
        let servers = try postmasters.map(serverTime).reduce(0, +) - before
        let done = try databases.map { try $0.number("select coalesce(sum(completed), 0) from martlet.lease") }.reduce(0, +)
        guard Int(done) == jobs else { throw Failure("\(Int(done)) of \(jobs) jobs are completed") }
        return Run(rate: Double(jobs) / time, servers: servers, workers: workers)
    }

    // MARK: The other process

    /// - Returns: the processor time it took, in seconds.
    private static func worker(_ url: String) async throws -> Double {
        let program = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
        let output = try await withDirectory { try await Programs.output(program, ["drain", url], in: $0) }
        guard let used = Double(output.trimmed) else { throw Failure("a worker said \(output)") }
        return used
    }

    static func drain(_ url: String) async throws {
        let client = try await Client(.postgres(url))
        try await Load.drain(client)
        await client.close()
        print(ProcessTime.own())
    }

    // MARK: The server's time

    /// Of a postmaster, its children that have ended, and those that live. Once more when one ended meanwhile.
    private static func serverTime(_ postmaster: pid_t) throws -> Double {
        while true {
            let own = try ProcessTime.ticksWithEndedChildren(postmaster)
            let list = try String(contentsOfFile: "/proc/\(postmaster)/task/\(postmaster)/children", encoding: .utf8)
            let children = list.split(separator: " ").compactMap { pid_t($0) }
            let living = children.reduce(0) { sum, child in
                do { return sum + (try ProcessTime.ticks(child)) } catch { return sum }
            }
            if try ProcessTime.ticksWithEndedChildren(postmaster) == own {
                return Double(own + living) / Double(sysconf(Int32(_SC_CLK_TCK)))
            }
        }
    }
}
