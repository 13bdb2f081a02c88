import Foundation

/// What a queue costs that rewrites its rows: the leanest tables we know, at their best batch size. A claim locks and updates
/// rows (`skip locked`, partial index), an end deletes them. They keep no history.
///
/// `= any(array(…))` and not `in (…)`, because the planner then takes an index whatever it believes about the table. What is
/// claimed is sent to the client, as any worker needs it.
enum LockAndUpdate {
    enum Form: String, CaseIterable {
        /// As one would have it: jobs have an id.
        case key = "by primary key"
        /// The least that works: one partial index, rows found again by where they lie.
        case place = "by ctid, no primary key"

        fileprivate var address: String { self == .key ? "id" : "ctid" }
        fileprivate var addressType: String { self == .key ? "bigint" : "tid" }

        var table: String {
            """
            create table queue (id bigint generated always as identity\(self == .key ? " primary key" : ""), worker int,
              args text not null);
            create index queue_waiting on queue (id) where worker is null;

            """
        }

        func claimAndDelete(_ batch: Int) -> String {
            """
            with claim as (
              update queue set worker = 1 where \(address) = any(array(
                select \(address) from queue where worker is null order by id limit \(batch) for update skip locked))
              returning \(address) as place, args)
            select coalesce(array_agg(place), '{}') as places, array_agg(args) as args from claim \\gset
            delete from queue where \(address) = any((:places)::\(addressType)[]);

            """
        }
    }

    static func insert(_ jobs: Int) -> String {
        "insert into queue (args) select '\(RawScripts.args)' from generate_series(1, \(jobs));\n"
    }

    static func fill(_ database: BenchDatabase, _ form: Form, jobs: Int) throws {
        try database.psql(form.table + insert(jobs) + "vacuum (freeze, analyze) queue")
    }

    /// - Parameter jobs: in the table, or fewer.
    static func drain(_ database: BenchDatabase, _ form: Form, jobs: Int, batch: Int) async throws -> Double {
        let transactions = jobs / batch / 2 * 2
        let rate = try await database.pgbench(form.claimAndDelete(batch), clients: 2, transactions: transactions)
        return rate * Double(batch)
    }

    // MARK: The cases

    private static let jobs = 500_000
    private static let batches = [250, 500, 1_000, 2_000, 4_000]

    /// Beside each table a worker of ours, which runs the jobs besides and keeps a history of them.
    static func run(_ bench: Bench) async throws {
        let server = try bench.postgres()
        var (results, ours): ([String: [Double]], [Double]) = ([:], [])
        try await server.withDatabase { full in
            try await PostgresDrain.fill(full, jobs: jobs)
            for form in Form.allCases {
                try await server.withDatabase { table in
                    try fill(table, form, jobs: jobs)
                    for _ in 0..<bench.options.runs {
                        ours.append(
                            try await server.withDatabase(copying: full) {
                                try await PostgresDrain.worker($0, jobs: jobs).rate
                            })
                        for batch in batches {
                            let rate = try await server.withDatabase(copying: table) {
                                try await drain($0, form, jobs: jobs, batch: batch)
                            }
                            results["\(form.rawValue), \(batch)", default: []].append(rate)
                        }
                    }
                }
            }
        }
        bench.report("drain of 500 k waiting no-op jobs", "jobs/s", ours)
        for form in Form.allCases {
            let names = batches.map { "\(form.rawValue), \($0)" }
            for name in names { bench.report("lock and update, 2 clients, \(name)", "jobs/s", results[name]!) }
            let best = names.max { median(results[$0]!) < median(results[$1]!) }!
            let part = form == .key ? ours.prefix(bench.options.runs) : ours.suffix(bench.options.runs)
            bench.reportRatio("  drain, of \(best)", Array(part), of: results[best]!, atLeast: 2)
        }
    }

    /// Two clients that each bring 500, claim 500 and delete them, over and over: without and with a snapshot held open.
    static func steadyCase(_ bench: Bench) async throws {
        let server = try bench.postgres()
        let time = max(bench.options.minutes * 60, 10)
        for form in Form.allCases {
            for isHeld in [false, true] {
                let perSecond = try await server.withDatabase { database in
                    try database.psql(form.table)
                    let holder = isHeld ? try SnapshotHolder(database) : nil
                    let script = insert(500) + form.claimAndDelete(500)
                    let rates = try await database.pgbench(script, clients: 2, eachSecondFor: Int(time))
                    try holder?.end()
                    return rates.map { $0 * 500 }
                }
                Steady.report(
                    bench, "lock and update \(form.rawValue)" + (isHeld ? ", snapshot held" : ""), perSecond,
                    plot: isHeld ? "snapshot" : "steady")
            }
        }
    }
}
