import Foundation
import Glibc
import Logging
import MartletPostgres
import MartletTestSupport
import Testing

@testable import Martlet

/// The library on PostgreSQL.
@Suite struct PostgresTests {
    private struct Nap: Job, Codable {
        static let kind = "nap"

        func run(_ context: JobContext) async throws { try await Task.sleep(for: .milliseconds(1)) }
    }

    @Test(.timeLimit(.minutes(3)))
    func `a process has at most four connections, whatever its concurrency`() async throws {
        let server = try PostgresServer.shared()
        let database = try server.makeDatabase()
        let url = server.url(database: database) + "?application_name=\(database)"
        try await migrate(url)
        let client = try await Client(.postgres(url))
        for _ in 0..<10 { _ = try await client.enqueue(contentsOf: Array(repeating: Nap(), count: 2_000)) }
        var configuration = Worker.Configuration()
        configuration.concurrency = 1_000
        configuration.drain = true
        let worker = try Worker(client, jobs: [Nap.self], configuration: configuration, logger: .silent)
        let working = Task { try await worker.run() }
        let producing = (0..<64).map { _ in
            Task { for _ in 0..<20 { _ = try await client.enqueue(Nap()) } }
        }
        let counting = Task {
            var counts: [Int] = []
            while !Task.isCancelled {
                let answer = try server.psql(
                    "select count(*) from pg_stat_activity where application_name = '\(database)'")
                counts.append(Int(answer.dropLast()) ?? -1)
                await Task.yield()
            }
            return counts
        }
        for task in producing { try await task.value }
        try await working.value
        counting.cancel()
        let counts = try await counting.value
        await client.close()
        // Two for everything, one for heartbeats, one that listens.
        #expect(counts.max() == 4, "\(counts)")
    }

    @Test func `variables of libpq and its files say where the database is`() async throws {
        let server = try PostgresServer.shared()
        let database = try server.makeDatabase()
        try await migrate(server.url(database: database))
        try await withTemporaryDirectory { directory in
            let file = directory.appendingPathComponent("services")
            try "[shop]\nhost=127.0.0.1\nport=\(server.port)\nuser=postgres\ndbname=\(database)\n".write(
                to: file, atomically: true, encoding: .utf8)
            // The variable names a file for this whole process; nothing else here uses services.
            setenv("PGSERVICEFILE", file.path, 1)
            for url in ["service=shop", "postgres:///?service=shop", "service=shop pooler=none"] {
                let client = try await Client(.postgres(url))
                _ = try await client.enqueue(Nap())
                await client.close()
            }
        }
        #expect(try server.psql("select count(*) from martlet.jobs", database: database) == "3\n")
    }

    @Test func `a password is in no error, in whatever form it was given`() async throws {
        let server = try AncientServer()
        let (place, words) = ("127.0.0.1:\(server.port)/shop", "sslmode=disable&gssencmode=disable")
        for url in [
            "postgres://ann:s3%40cret@\(place)?\(words)", "postgres://ann@\(place)?password=s3%40cret&\(words)",
            "host=127.0.0.1 port=\(server.port) sslmode=disable gssencmode=disable user=ann password='s3@cret'",
        ] {
            let error = try await #require(throws: MartletError.self) { _ = try await Client(.postgres(url)) }
            #expect(error.code == .unusable && error.message.contains("12.9; 13 or newer"), "\(error)")
            for form in ["s3@cret", "s3%40cret"] { #expect(!"\(error)".contains(form) && !error.message.contains(form)) }
        }
    }

    private func migrate(_ url: String) async throws {
        _ = try await PostgresStore.migrate(PostgresOptions(url: url))
    }
}
