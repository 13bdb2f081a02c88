import Foundation
import Glibc
import Testing

@testable import MartletApp

/// Whoever uses SQLite alone needs no libpq, and does not wait for it either.
@Suite struct LibpqTests {
    private static let nowhere = "postgres://nobody@/nothing?host=/nonexistent"

    @Test func `libpq is loaded for a PostgreSQL database, and for no other`() async throws {
        let program = try Program()
        // The dynamic linker tells on standard error what it loads.
        let watched = ["LD_DEBUG": "files"]
        let lite = try await program.run("enqueue", "k", environment: watched)
        #expect(lite.status == 0)
        #expect(lite.errors.contains("libsqlite3.so"))
        #expect(!lite.errors.contains("libpq.so"))
        let postgres = try await program.run("enqueue", "k", "--database", Self.nowhere, environment: watched)
        #expect(postgres.status == 5)
        #expect(postgres.errors.contains("libpq.so"))
    }

    @Test func `without libpq everything but PostgreSQL works`() async throws {
        let libraries = try TemporaryDirectory()
        try libraries.write("libpq.so.5", "")
        let program = try Program()
        let missing = ["LD_LIBRARY_PATH": libraries.path]
        #expect(try await program.run("enqueue", "k", environment: missing).output == "1\n")
        #expect(try await program.run("jobs", "show", "1", environment: missing).status == 0)
        #expect(try await program.run("worker", "--help", environment: missing).status == 0)
        for command in [["enqueue", "k"], ["stats"], ["migrate", "up"], ["doctor"]] {
            let result = try await program.run(command + ["--database", Self.nowhere], environment: missing)
            #expect(result.status == 2)
            #expect(result.output == "")
            #expect(result.errors.hasPrefix("martlet: --database: PostgreSQL takes libpq 14 or newer"))
            #expect(result.errors.contains("libpq.so.5: file too short"))
            #expect(result.errors.contains("the package libpq5"))
            #expect(result.errors.split(separator: "\n").count == 1)
        }
    }

    @Test func `a libpq that lacks what is needed is told as such`() async throws {
        let program = try Program()
        let loading = try await program.run("--version", environment: ["LD_DEBUG": "files"]).errors
        let other = try #require(loading.firstMatch(of: #/calling init: (\S*/libsqlite3\.so\S*)/#)).1
        let libraries = try TemporaryDirectory()
        try FileManager.default.createSymbolicLink(
            atPath: libraries.path + "/libpq.so.5", withDestinationPath: String(other))
        let result = try await program.run(
            "stats", "--database", Self.nowhere, environment: ["LD_LIBRARY_PATH": libraries.path])
        #expect(result.status == 2)
        #expect(result.errors.contains("undefined symbol: PQ"))
    }
}
