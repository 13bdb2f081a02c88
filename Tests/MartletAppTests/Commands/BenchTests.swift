import Foundation
import Glibc
import MartletCore
import MartletStore
import MartletTestSupport
import Testing

@testable import MartletApp

/// `martlet bench` in processes of its own: what it prints, and that nothing of it stays.
@Suite struct BenchCommandTests {
    /// Both engines, as a user of the least rights has them.
    private func withEngines(_ body: (Program, [String: String]) async throws -> Void) async throws {
        let sqlite = try Program()
        #expect(try await sqlite.run("migrate").status == 0)
        try await body(sqlite, [:])
        let server = try PostgresServer.shared()
        let postgres = try Program()
        let environment = ["MARTLET_DATABASE_URL": server.url(database: try server.makeDatabase())]
        #expect(try await postgres.run(["migrate", "up"], environment: environment).status == 0)
        try await body(postgres, environment)
    }

    private func object(_ text: String) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any], "\(text)")
    }

    private func queues(_ program: Program, _ environment: [String: String]) async throws -> [String] {
        let listed = try await program.run(["queues", "list", "--json"], environment: environment)
        #expect(listed.status == 0, "\(listed.errors)")
        return try listed.output.split(separator: "\n").map { try #require(try object(String($0))["queue"] as? String) }
    }

    private static let quick = ["--jobs", "300", "--tasks", "4", "--in-flight", "50", "--seconds", "1"]

    @Test func `everything is measured, nothing of it stays, and other jobs are as they were`() async throws {
        try await withEngines { program, environment in
            try program.directory.write("martlet.yaml", "kinds: { good: { command: [cat] } }\n")
            for _ in 0..<3 { _ = try await program.run(["enqueue", "good", "{\"a\":1}"], environment: environment) }
            #expect(try await program.run(["worker", "--drain"], environment: environment).status == 0)
            _ = try await program.run(["enqueue", "good"], environment: environment)
            // Somebody's own job of the same kind, in a queue of his.
            _ = try await program.run(["enqueue", "martlet-bench", "--queue", "mine"], environment: environment)
            let jobs = try await program.run(["jobs", "list", "--json"], environment: environment).output
            let stats = try await program.run(["stats", "--json"], environment: environment).output

            let bench = try await program.run(
                ["bench", "--yes", "--json", "--runs", "2"] + Self.quick, environment: environment)
            #expect(bench.status == 0, "\(bench.errors)")
            let report = try object(bench.output)
            let results = try #require(report["results"] as? [String: [String: [String: Any]]], "\(bench.output)")
            let keys = [
                "enqueue": ["bulk", "single"], "drain": ["rate", "processor_time"],
                "latency": ["acknowledged_p50", "p50", "p90", "p99", "max"],
                "in_flight": ["start_rate", "memory", "memory_per_job"],
            ]
            #expect(results.mapValues { Set($0.keys) } == keys.mapValues { Set($0) })
            for (name, figure) in results.values.flatMap({ $0 }) {
                #expect((figure["values"] as? [Double])?.count == (name.hasPrefix("memory") ? 1 : 2), "\(name)")
                let (least, median, most) = (figure["least"], figure["median"], figure["most"])
                let numbers = [least, median, most].compactMap { $0 as? Double }
                #expect(numbers.count == 3 && numbers == numbers.sorted(), "\(name): \(figure)")
                if name != "memory_per_job" { #expect(numbers[0] > 0, "\(name): \(figure)") }
            }
            #expect((results["latency"]?["p50"]?["unit"] as? String) == "ms")
            let database = try #require(report["database"] as? [String: Any])
            let settings = try #require(database["settings"] as? [String: String])
            #expect(settings["synchronous"] == "FULL" || settings["synchronous_commit"] != nil)
            #expect((database["round_trip_ms"] as? Double != nil) == !environment.isEmpty)
            let besides = try #require(report["besides"] as? [String: Int])
            #expect(besides == ["workers": 0, "available": 2, "running": 0])
            let removed = try #require(report["removed"] as? Int)
            #expect(removed >= 2 * (300 + 2 + 4 + 50), "\(removed)")

            #expect(try await queues(program, environment) == ["default", "mine"])
            #expect(try await program.run(["jobs", "list", "--json"], environment: environment).output == jobs)
            let after = try object(try await program.run(["stats", "--json"], environment: environment).output)
            #expect(after["counts"] as? [String: Int] == (try object(stats))["counts"] as? [String: Int])
            #expect(try await program.run(["workers", "--json"], environment: environment).output == "")
            let doctor = try await program.run(["doctor"], environment: environment)
            #expect(doctor.status == 0, "\(doctor.output)")
            #expect(!doctor.output.contains("martlet-bench-"))
        }
    }

    @Test func `a person gets a table, and only what was asked for`() async throws {
        let program = try Program()
        _ = try await program.run("migrate")
        let bench = try await program.run("bench", "--yes", "--only", "drain", "--jobs", "100", "--runs", "1")
        #expect(bench.status == 0, "\(bench.errors)")
        for text in [
            "SQLite 3.", "synchronous FULL", "100 jobs that do nothing", "jobs/s", "µs/job", "100 jobs of martlet-bench-",
        ] {
            #expect(bench.output.contains(text), "\(text) in \(bench.output)")
        }
        for text in ["latency", "in-flight", "one by one"] { #expect(!bench.output.contains(text), "\(bench.output)") }
        #expect(bench.errors.hasPrefix("martlet bench: up to 100 jobs"), "\(bench.errors)")
    }

    @Test(arguments: [SIGINT, SIGTERM])
    func `a signal stops it, and it removes what it made`(_ signal: Int32) async throws {
        try await withEngines { program, environment in
            for only in ["latency", "enqueue"] {
                let arguments = ["bench", "--yes", "--only", only, "--seconds", "600", "--jobs", "10000000"]
                let other = try Program(in: program.directory)
                let process = try program.prepare(arguments, environment: environment)
                async let ended = program.finish(process)
                // Once there is something to remove.
                while try await !queues(other, environment).contains(where: { $0.hasPrefix("martlet-bench-") }) {}
                kill(process.processIdentifier, signal)
                let result = try await ended
                #expect(result.status == 128 + signal, "\(result.errors)")
                #expect(result.errors.contains("martlet: stopped; "), "\(result.errors)")
                #expect(result.output == "")
                #expect(try await queues(other, environment) == [])
                #expect(try await other.run(["workers", "--json"], environment: environment).output == "")
                #expect(try await other.run(["bench", "--clean"], environment: environment).output == "nothing to remove\n")
            }
        }
    }

    @Test func `what a killed bench left is removed by the next one, or by clean`() async throws {
        let program = try Program()
        _ = try await program.run("migrate")
        for next in [["bench", "--clean"], ["bench", "--yes", "--only", "drain", "--jobs", "10", "--runs", "1"]] {
            let other = try Program(in: program.directory)
            let process = try program.prepare(["bench", "--yes", "--only", "latency", "--seconds", "600"])
            async let ended = program.finish(process)
            while try await queues(other, [:]).isEmpty {}
            // While it lives it is nobody else's business.
            let refused = try await other.run("bench", "--clean")
            #expect(refused.status == 4, "\(refused.errors)")
            #expect(refused.errors.contains("is left alone"), "\(refused.errors)")
            kill(process.processIdentifier, SIGKILL)
            _ = try await ended
            #expect(try await queues(other, [:]).count == 1)
            let cleaned = try await other.run(next)
            #expect(cleaned.status == 0, "\(cleaned.errors)")
            #expect((cleaned.output + cleaned.errors).contains("removed "), "\(cleaned)")
            #expect(try await queues(other, [:]) == [])
        }
    }
}

/// Without anything being measured.
@Suite struct BenchRefusalTests {
    @Test func `nobody is asked in a pipe, and nothing is done without a yes`() async throws {
        let session = try Session()
        _ = try await session.run("migrate")
        let piped = try await session.run("bench")
        #expect(piped.status == 4)
        #expect(piped.errors.contains("nothing was done: add --yes to enqueue and run up to "), "\(piped.errors)")
        let asked = try await session.run("bench", answer: "n", width: 80)
        #expect(asked.status == 4)
        #expect(asked.errors.contains("Go on? [y/N] "), "\(asked.errors)")
        #expect(try await session.run("queues", "list", "--json").output == "")
    }

    @Test func `who else is there is said before`() async throws {
        let session = try Session()
        try await session.enqueue(NewJob(kind: "a"), NewJob(kind: "a"))
        let asked = try await session.run("bench", answer: "n", width: 80)
        #expect(
            asked.errors.contains("Besides: 0 other workers alive, 2 jobs waiting, 0 running; all of it is slower"),
            "\(asked.errors)")
    }

    @Test(arguments: [
        (["--jobs", "0"], "--jobs: 0 is out of range; 1 to 10000000"),
        (["--jobs", "many"], "--jobs: \"many\" is not a whole number"),
        (["--runs", "-1"], "--runs: -1 is out of range; 1 to 1000"),
        (["--tasks", "0"], "--tasks: 0 is out of range"),
        (["--in-flight", "1000001"], "--in-flight: 1000001 is out of range"),
        (["--concurrency", "0"], "--concurrency: 0 is out of range"),
        (["--seconds", "1.5"], "--seconds: \"1.5\" is not a whole number"),
        (["--only", "drian"], "--only: nothing called \"drian\" is measured; did you mean drain?"),
        (["--only", ""], "--only: nothing called \"\" is measured; there is enqueue, drain, latency, in-flight"),
        (["--only", "drain,,latency"], "--only: nothing called \"\""),
    ])
    func `a mistake is named with its option`(_ arguments: [String], _ message: String) async throws {
        let session = try Session()
        let result = try await session.run(["bench", "--yes"] + arguments)
        #expect(result.status == 2)
        #expect(result.errors.contains(message), "\(result.errors)")
    }

    @Test func `a database that is not there, or has no queue, says what to do`() async throws {
        let session = try Session()
        let missing = try await session.run("bench", "--yes")
        #expect(missing.status == 5)
        #expect(missing.errors.contains("no database at "), "\(missing.errors)")
        let server = try PostgresServer.shared()
        let empty = server.url(database: try server.makeDatabase())
        let bare = try await session.run("bench", "--yes", "--database", empty)
        #expect(bare.status == 5)
        #expect(bare.errors.contains("run martlet migrate up"), "\(bare.errors)")
    }
}
