import Foundation
import Glibc

/// What a daemon costs that has nothing to do.
enum Idle {
    private struct Cost {
        /// Percent of one core.
        let cpu: Double
        let mebibytes: Double
    }

    /// Seconds. Processor time is counted in hundredths of one, and what is allowed would be two of those in ten.
    private static let time = 60

    static func sqliteCase(_ bench: Bench) async throws {
        let costs = try await bench.rounds {
            try await withDirectory { directory in
                try await measure("sqlite:" + directory.appendingPathComponent("martlet.db").path, in: directory) {}
            }
        }
        report(bench, costs)
    }

    static func postgresCase(_ bench: Bench) async throws {
        let server = try bench.postgres()
        var queries: [Double] = []
        let costs = try await bench.rounds {
            try await server.withDatabase { database in
                try await withDirectory { directory in
                    var before: Double?
                    // Counted when a session reports, and an idle one keeps what it did last for ten seconds; asking is one
                    // of its own.
                    return try await measure(database.url, in: directory, settling: .seconds(13)) {
                        let count = try database.number(
                            "select xact_commit + xact_rollback from pg_stat_database where datname = current_database()")
                        if let before { queries.append((count - before - 1) / Double(time)) }
                        before = count
                    }
                }
            }
        }
        report(bench, costs)
        bench.report("idle daemon, transactions", "per s", queries, atMost: 1)
    }

    private static func report(_ bench: Bench, _ costs: [Cost]) {
        bench.report("idle daemon, processor time", "% of a core", costs.map(\.cpu), atMost: 0.2)
        bench.report("idle daemon, memory", "MiB", costs.map(\.mebibytes), atMost: 30)
    }

    /// - Parameter look: called at the beginning and at the end of the time that is measured.
    private static func measure(
        _ database: String, in directory: URL, settling: Duration = .seconds(3), _ look: () throws -> Void
    ) async throws -> Cost {
        try "kinds: { nothing: { command: ['true'] } }\n".write(
            to: directory.appendingPathComponent("martlet.yaml"), atomically: true, encoding: .utf8)
        setenv("MARTLET_DATABASE_URL", database, 1)
        let daemon = try Programs.start(Programs.martlet, ["worker"], in: directory)
        defer {
            daemon.terminate()
            daemon.waitUntilExit()
        }
        try await Task.sleep(for: settling)
        try look()
        let before = try ProcessTime.ticks(daemon.processIdentifier)
        try await Task.sleep(for: .seconds(time))
        let used = try ProcessTime.ticks(daemon.processIdentifier) - before
        try look()
        let cpu = Double(used) / Double(sysconf(Int32(_SC_CLK_TCK))) / Double(time) * 100
        return Cost(cpu: cpu, mebibytes: try ProcessTime.residentMebibytes(daemon.processIdentifier))
    }
}
