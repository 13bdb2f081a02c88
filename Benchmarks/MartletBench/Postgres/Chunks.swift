import Foundation
import Martlet

/// What it brings to claim many at a time, and to have several that claim: the raw functions of ours and the lock-and-update
/// table, each with the same number of jobs a claim.
enum Chunks {
    private static let jobs = 400_000
    private static let sizes = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000]
    private static let clients = [1, 2, 8]

    static func run(_ bench: Bench) async throws {
        let server = try bench.postgres()
        var rates: [String: [Int: [Double]]] = [:]
        try await server.withDatabase { full in
            try await PostgresDrain.fill(full, jobs: jobs)
            try await server.withDatabase { table in
                try LockAndUpdate.fill(table, .key, jobs: jobs)
                for _ in 0..<bench.options.runs {
                    for size in sizes {
                        for count in clients {
                            let rate = try await server.withDatabase(copying: full) {
                                try await PostgresDrain.raw(
                                    $0, clients: count, jobs: some(size, count), chunk: size)
                            }
                            rates[title(count), default: [:]][size, default: []].append(rate)
                        }
                        let rate = try await server.withDatabase(copying: table) {
                            try await LockAndUpdate.drain($0, .key, jobs: some(size, 2), batch: size)
                        }
                        rates[table2, default: [:]][size, default: []].append(rate)
                    }
                }
            }
        }
        for name in clients.map(title) + [table2] {
            for size in sizes { bench.report("\(name), \(size) a claim", "jobs/s", rates[name]![size]!) }
            bench.draw("chunks", name, x: sizes.map(Double.init), y: sizes.map { median(rates[name]![$0]!) })
        }
    }

    private static let table2 = "lock and update, 2 clients"

    private static func title(_ clients: Int) -> String {
        "raw claim and settle, \(clients) client\(clients == 1 ? "" : "s")"
    }

    /// Of all jobs as many as take a second or so, in whole claims of each client.
    private static func some(_ size: Int, _ clients: Int) -> Int {
        min(jobs, size * 3_000) / (size * clients) * (size * clients)
    }
}
