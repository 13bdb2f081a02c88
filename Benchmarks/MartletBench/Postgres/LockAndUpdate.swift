import Foundation

/// What a queue costs that rewrites its rows: the leanest table we know, at its best batch size. A claim locks and updates
/// rows (`skip locked`, partial index), an end deletes them. It keeps no history.
enum LockAndUpdate {
    private static let jobs = 500_000
    private static let batches = [100, 500, 1_000, 2_000]

    static func run(_ bench: Bench) async throws {
        let server = try bench.postgres()
        var results: [Int: [Double]] = [:]
        try await server.withDatabase { full in
            try full.psql(
                """
                create table queue (id bigint generated always as identity primary key, worker int, claimed_at timestamptz,
                  args text not null);
                insert into queue (args) select '\(RawScripts.args)' from generate_series(1, \(jobs));
                create index queue_waiting on queue (id) where worker is null;
                vacuum (freeze, analyze) queue
                """)
            for _ in 0..<bench.options.runs {
                for batch in batches {
                    let rate = try await server.withDatabase(copying: full) { database in
                        try await database.pgbench(script(batch), clients: 2, transactions: jobs / batch)
                    }
                    results[batch, default: []].append(rate * Double(batch))
                }
            }
        }
        for batch in batches {
            bench.report("lock and update, 2 clients, \(batch) a claim", "jobs/s", results[batch]!)
        }
    }

    private static func script(_ batch: Int) -> String {
        """
        with claim as (
          update queue set worker = 1, claimed_at = now() where id in (
            select id from queue where worker is null order by id limit \(batch) for update skip locked)
          returning id, args)
        select array_agg(id) as ids, array_agg(args) as args from claim \\gset
        delete from queue where id = any(:ids);

        """
    }
}
