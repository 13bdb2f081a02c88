import Foundation

extension LockAndUpdate {
    // MARK: Drain

    private static let jobs = 1_000_000
    private static let batches = [250, 500, 1_000, 2_000, 4_000]
    /// Of our functions with no worker around them.
    private static let floors: [(clients: Int, chunk: Int)] = [(1, 500), (2, 500), (1, 4_000), (2, 4_000)]

    /// Side by side, round by round; each name's rates.
    private struct Rates {
        var worker: [Double] = []
        var functions: [String: [Double]] = [:]
        var table: [String: [Double]] = [:]

        static func best(_ rates: [String: [Double]]) -> (name: String, rates: [Double]) {
            let best = rates.max { median($0.value) < median($1.value) }!
            return (best.key, best.value)
        }
    }

    /// Beside each table a worker of ours, which runs the jobs besides and keeps a history of them; and our functions alone, which
    /// run nothing either: as far as any worker could come.
    static func run(_ bench: Bench) async throws {
        let server = try bench.postgres()
        try await server.withDatabase { full in
            try await PostgresDrain.fill(full, jobs: jobs)
            for form in Form.allCases {
                var rates = Rates()
                try await server.withDatabase { table in
                    try fill(table, form, jobs: jobs)
                    for _ in 0..<bench.options.runs { try await round(server, &rates, full, table, form) }
                }
                report(bench, rates, form)
            }
        }
    }

    private static func round(
        _ server: BenchServer, _ rates: inout Rates, _ full: BenchDatabase, _ table: BenchDatabase, _ form: Form
    ) async throws {
        rates.worker.append(
            try await server.withDatabase(copying: full) { try await PostgresDrain.worker($0, jobs: jobs).rate })
        for (clients, chunk) in floors {
            let rate = try await server.withDatabase(copying: full) {
                try await PostgresDrain.raw($0, clients: clients, jobs: jobs, chunk: chunk)
            }
            rates.functions[title(clients, chunk), default: []].append(rate)
        }
        for batch in batches {
            let rate = try await server.withDatabase(copying: table) {
                try await drain($0, form, jobs: jobs, batch: batch)
            }
            rates.table["\(form.rawValue), \(batch)", default: []].append(rate)
        }
    }

    private static func report(_ bench: Bench, _ rates: Rates, _ form: Form) {
        bench.report("drain of 1 M waiting no-op jobs, beside the table \(form.rawValue)", "jobs/s", rates.worker)
        for (clients, chunk) in floors {
            let name = title(clients, chunk)
            bench.report("raw claim and settle, \(name)", "jobs/s", rates.functions[name]!)
        }
        for batch in batches {
            let name = "\(form.rawValue), \(batch)"
            bench.report("lock and update, 2 clients, \(name)", "jobs/s", rates.table[name]!)
        }
        let (best, raw) = (Rates.best(rates.table), Rates.best(rates.functions))
        bench.reportRatio("  drain, of \(best.name)", rates.worker, of: best.rates, atLeast: 2)
        bench.report("  raw, \(raw.name), of it", "×", zip(raw.rates, best.rates).map { $0 / $1 })
    }

    private static func title(_ clients: Int, _ chunk: Int) -> String {
        "\(clients) client\(clients == 1 ? "" : "s"), \(chunk) a claim"
    }

    // MARK: Steady

    /// The form that does better alone and as well beside a held snapshot, and jobs a claim at which it does best.
    private static let steady = (form: Form.place, batch: 4_000)

    /// Two clients that each bring some jobs, claim as many and delete them, over and over: without and with a snapshot held open.
    /// Autovacuum looks every second, which a server for such a table is told to do; ours does not ask for it.
    static func steadyCase(_ bench: Bench) async throws {
        let server = try bench.postgres()
        let time = Int(max(bench.options.minutes * 60, 10))
        let (form, batch) = steady
        try await server.with("autovacuum_naptime", "1s") {
            for isHeld in [false, true] {
                let perSecond = try await server.withDatabase { database in
                    try database.psql(form.table)
                    let holder = isHeld ? try SnapshotHolder(database) : nil
                    let script = form.insert(batch) + form.claimAndDelete(batch)
                    let rates = try await database.pgbench(script, clients: 2, eachSecondFor: time)
                    try holder?.end()
                    return rates.map { $0 * Double(batch) }
                }
                Steady.report(
                    bench, "lock and update \(form.rawValue), \(batch) a claim" + (isHeld ? ", snapshot held" : ""),
                    perSecond, plot: isHeld ? "snapshot" : "steady")
            }
        }
    }
}
