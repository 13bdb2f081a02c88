import Foundation

/// What a queue costs that rewrites its rows: the leanest tables we know, at their best batch size. A claim locks and updates
/// rows (`skip locked`, partial index), an end deletes them. They keep no history.
///
/// `= any(array(…))` and not `in (…)`, because the planner then takes an index whatever it believes about the table. What is
/// claimed is sent to the client, as any worker needs it. Autovacuum comes by its dead rows, not by its size, and takes no pauses.
enum LockAndUpdate {
    enum Form: String, CaseIterable {
        /// As one would have it: jobs have an id.
        case key = "by primary key"
        /// The least that works: one partial index, rows found again by where they lie.
        case place = "by ctid, no primary key"

        fileprivate var name: String { self == .key ? "queue_by_key" : "queue_by_place" }
        fileprivate var address: String { self == .key ? "id" : "ctid" }
        fileprivate var addressType: String { self == .key ? "bigint" : "tid" }

        var table: String {
            """
            create table \(name) (id bigint generated always as identity\(self == .key ? " primary key" : ""), worker int,
              args text not null) with (\(storage));
            create index \(name)_waiting on \(name) (id) where worker is null;

            """
        }

        func claimAndDelete(_ batch: Int) -> String {
            """
            with claim as (
              update \(name) set worker = 1 where \(address) = any(array(
                select \(address) from \(name) where worker is null order by id limit \(batch) for update skip locked))
              returning \(address) as place, args)
            select coalesce(array_agg(place), '{}') as places, array_agg(args) as args from claim \\gset
            delete from \(name) where \(address) = any((:places)::\(addressType)[]);

            """
        }

        func insert(_ jobs: Int) -> String {
            "insert into \(name) (args) select '\(RawScripts.args)' from generate_series(1, \(jobs));\n"
        }

        /// Freed of what was deleted, which is the best state it can be in.
        var vacuum: String { "vacuum (freeze, analyze) \(name)" }
    }

    /// What suits a table whose every row soon dies.
    private static let storage = """
        autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0,
        autovacuum_vacuum_insert_threshold = -1
        """

    static func fill(_ database: BenchDatabase, _ form: Form, jobs: Int) throws {
        try database.psql(form.table + form.insert(jobs) + form.vacuum)
    }

    /// - Parameter jobs: in the table, or fewer.
    static func drain(_ database: BenchDatabase, _ form: Form, jobs: Int, batch: Int) async throws -> Double {
        let transactions = jobs / batch / 2 * 2
        let rate = try await database.pgbench(form.claimAndDelete(batch), clients: 2, transactions: transactions)
        return rate * Double(batch)
    }
}
