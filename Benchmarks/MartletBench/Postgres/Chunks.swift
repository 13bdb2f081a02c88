import Foundation
import Martlet

/// What it brings to claim many at a time, and to have several that claim: the raw functions of ours and both forms of the
/// lock-and-update table, each with the same number of jobs a claim.
///
/// All points are taken in one database, one after the other, each with the next of its jobs and after a checkpoint: copying a
/// database for each, and dropping it, left the disk busy for longer than a point takes.
enum Chunks {
    private static let sizes = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 4_000]
    private static let clients = [1, 2, 8]
    private static let most = 200_000

    static func run(_ bench: Bench) async throws {
        let server = try bench.postgres()
        var rates: [String: [Int: [Double]]] = [:]
        try await server.withDatabase { database in
            for form in LockAndUpdate.Form.allCases { try database.psql(form.table) }
            var done = 0
            for _ in 0..<bench.options.runs {
                try await fill(database)
                for size in sizes {
                    for count in clients {
                        done += jobs(size, count)
                        try database.psql("checkpoint")
                        let rate = try await PostgresDrain.raw(
                            database, clients: count, jobs: jobs(size, count), chunk: size, completed: done)
                        rates[title(count), default: [:]][size, default: []].append(rate)
                    }
                    for form in LockAndUpdate.Form.allCases {
                        try database.psql(form.vacuum)
                        try database.psql("checkpoint")
                        let rate = try await LockAndUpdate.drain(database, form, jobs: jobs(size, 2), batch: size)
                        rates[title(form), default: [:]][size, default: []].append(rate)
                    }
                }
            }
        }
        for name in clients.map(title) + LockAndUpdate.Form.allCases.map(title) {
            for size in sizes { bench.report("\(name), \(size) a claim", "jobs/s", rates[name]![size]!) }
            bench.draw("chunks", name, x: sizes.map(Double.init), y: sizes.map { median(rates[name]![$0]!) })
        }
    }

    /// As much as one round takes.
    private static func fill(_ database: BenchDatabase) async throws {
        let ours = sizes.reduce(0) { sum, size in clients.reduce(sum) { $0 + jobs(size, $1) } }
        try await PostgresDrain.fill(database, jobs: ours)
        for form in LockAndUpdate.Form.allCases { try database.psql(form.insert(sizes.reduce(0) { $0 + jobs($1, 2) })) }
    }

    private static func title(_ form: LockAndUpdate.Form) -> String { "lock and update \(form.rawValue), 2 clients" }

    private static func title(_ clients: Int) -> String {
        "raw claim and settle, \(clients) client\(clients == 1 ? "" : "s")"
    }

    /// In whole claims of each client: 4 000 of them take some seconds, and from 50 jobs a claim on fewer are enough.
    private static func jobs(_ size: Int, _ clients: Int) -> Int {
        min(most, size * 4_000) / (size * clients) * (size * clients)
    }
}
