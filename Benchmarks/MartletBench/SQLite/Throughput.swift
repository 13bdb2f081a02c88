import Foundation
import Martlet
import MartletCore
import MartletStore

enum Throughput {
    private static let jobs = 1_000_000

    /// Beside plain SQLite, in turn.
    static func enqueueCase(_ bench: Bench) async throws {
        let rows = try SQLiteFloor.Rows(jobs)
        var (floors, ours): ([Double], [Double]) = ([], [])
        for _ in 0..<bench.options.runs {
            floors.append(try await withDirectory { try await SQLiteFloor.insert(rows, in: $0) })
            ours.append(try await bulkEnqueue())
        }
        bench.report("plain inserts into a bare table, 10 000 a transaction", "jobs/s", floors)
        bench.report("bulk enqueue of 1 M jobs", "jobs/s", ours, atLeast: 300_000)
        bench.report("  of plain SQLite", "×", zip(ours, floors).map { $0 / $1 })
    }

    static func singleCase(_ bench: Bench) async throws {
        let values = try await bench.repeated { try await singleEnqueue(tasks: 64, each: 2_000) }
        bench.report("64 tasks enqueueing one job at a time", "jobs/s", values, atLeast: 50_000)
    }

    /// On copies of the same database, beside plain SQLite, in turn.
    static func drainCase(_ bench: Bench) async throws {
        var (floors, ours): ([Double], [Double]) = ([], [])
        try await withDirectory { directory in
            let full = directory.appendingPathComponent("full.db")
            let client = try await Client(.sqlite(full.path))
            try await Load.bulk(client, jobs: jobs)
            await client.close()
            // All of it in the one file that is copied, should anything have kept a checkpoint from it.
            try PlainSQLite(full.path).run("pragma wal_checkpoint(truncate)")
            for _ in 0..<bench.options.runs {
                floors.append(
                    try await withCopy(of: full) { try await SQLiteFloor.claimAndSettle($0, jobs: jobs) })
                ours.append(try await withCopy(of: full, drain))
            }
        }
        bench.report("plain claim and settle, 500 a claim", "jobs/s", floors)
        bench.report("drain of 1 M waiting no-op jobs", "jobs/s", ours, atLeast: 250_000)
        bench.report("  of plain SQLite", "×", zip(ours, floors).map { $0 / $1 })
    }

    private static func bulkEnqueue() async throws -> Double {
        try await withDirectory { directory in
            let client = try await Client(.sqlite(directory.appendingPathComponent("bench.db").path))
            let time = try await seconds { try await Load.bulk(client, jobs: jobs) }
            await client.close()
            return Double(jobs) / time
        }
    }

    private static func singleEnqueue(tasks: Int, each: Int) async throws -> Double {
        try await withDirectory { directory in
            let client = try await Client(.sqlite(directory.appendingPathComponent("bench.db").path))
            let time = try await seconds { try await Load.singles(client, tasks: tasks, each: each) }
            await client.close()
            return Double(tasks * each) / time
        }
    }

    private static func drain(_ file: URL) async throws -> Double {
        let client = try await Client(.sqlite(file.path))
        let time = try await seconds { try await Load.drain(client) }
        let done = try await client.store.stats().counts[.completed] ?? 0
        await client.close()
        guard done == jobs else { throw Failure("\(done) of \(jobs) jobs are completed") }
        return Double(jobs) / time
    }

    private static func withCopy<T>(of file: URL, _ body: (URL) async throws -> T) async throws -> T {
        try await withDirectory { directory in
            let copy = directory.appendingPathComponent("bench.db")
            try FileManager.default.copyItem(at: file, to: copy)
            // On disk before the time begins: who syncs first would write the copy, too.
            let handle = try FileHandle(forUpdating: copy)
            try handle.synchronize()
            try handle.close()
            return try await body(copy)
        }
    }
}
