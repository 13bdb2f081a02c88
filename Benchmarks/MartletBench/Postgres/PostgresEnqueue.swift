import Foundation
import Martlet

/// Bulk enqueueing through the library against one COPY of the same rows into the same table.
enum PostgresEnqueue {
    private static let jobs = 1_000_000

    static func run(_ bench: Bench) async throws {
        let server = try bench.postgres()
        try await withDirectory { directory in
            let file = directory.appendingPathComponent("jobs.txt")
            try write(to: file)
            var (copies, ours): ([Double], [Double]) = ([], [])
            for _ in 0..<bench.options.runs {
                copies.append(try await server.withDatabase { try await copy(file, $0) })
                ours.append(try await server.withDatabase(library))
            }
            bench.report("raw COPY of 1 M rows", "jobs/s", copies)
            bench.report("bulk enqueue of 1 M jobs", "jobs/s", ours)
            bench.reportRatio("  of raw COPY", ours, of: copies, atLeast: 0.8)
        }
    }

    private static func write(to file: URL) throws {
        let encoder = JSONEncoder()
        var lines = Data()
        for number in 0..<jobs { lines += try encoder.encode(Nothing(number: number)) + [UInt8(ascii: "\n")] }
        try lines.write(to: file)
    }

    private static func copy(_ file: URL, _ database: BenchDatabase) async throws -> Double {
        try database.psql("select martlet.make_lanes(array['nothing'], array['default'], array[5])")
        // What every row shares; the file has the rest.
        try database.psql(
            """
            alter table martlet.job alter segment set default 1, alter lane set default 1, alter enqueued_at set default now();
            alter table martlet.job_1 alter segment set default 1, alter lane set default 1, alter enqueued_at set default now()
            """)
        let time = try await seconds { try await database.copy(file, into: "martlet.job (args)") }
        return Double(jobs) / time
    }

    private static func library(_ database: BenchDatabase) async throws -> Double {
        let client = try await Client(.postgres(database.url))
        let time = try await seconds { try await Load.bulk(client, jobs: jobs) }
        await client.close()
        return Double(jobs) / time
    }
}
