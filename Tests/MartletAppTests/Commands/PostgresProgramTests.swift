import Foundation
import MartletTestSupport
import Testing

/// The real program on a PostgreSQL server.
@Suite struct PostgresProgramTests {
    @Test func `one job end to end on PostgreSQL, and one that fails`() async throws {
        let server = try PostgresServer.shared()
        let environment = ["MARTLET_DATABASE_URL": server.url(database: try server.makeDatabase(), password: "secret")]
        let program = try Program()
        var spoken = ""
        func run(_ arguments: String...) async throws -> Program.Result {
            let result = try await program.run(arguments, environment: environment)
            spoken += result.output + result.errors
            return result
        }

        for command in [["enqueue", "good"], ["stats"], ["jobs", "list"], ["doctor"], ["migrate", "roles"]] {
            let result = try await program.run(command, environment: environment)
            spoken += result.output + result.errors
            #expect(result.status == 5)
            #expect(result.errors.contains("run martlet migrate up"), "\(result.errors)")
        }
        #expect(try await run("migrate", "plan").output.contains("create table lease"))
        #expect(try await run("migrate", "status").output.contains("pending: 1"))
        #expect(try await run("migrate", "up").output.contains("up to date"))
        #expect(try await run("migrate", "plan").output == "")
        #expect(try await run("migrate", "roles").output.contains("martlet_worker\n"))

        try program.directory.write(
            "martlet.yaml",
            """
            kinds:
              good: { command: [sh, -c, 'cat; echo done >> done'] }
              bad: { command: [sh, -c, 'echo the disk is on fire >&2; exit 3'], retry: { max: 1 } }
            """)
        let good = try await run("enqueue", "good", "{\"a\": 1}").output.trimmingCharacters(in: .newlines)
        let bad = try await run("enqueue", "bad").output.trimmingCharacters(in: .newlines)
        let worker = try await run("worker", "--drain")
        #expect(worker.status == 0, "\(worker.errors)")
        #expect(try String(contentsOfFile: program.directory.path + "/done", encoding: .utf8) == "done\n")

        let shown = try await run("jobs", "show", good, "--json").output
        #expect(shown.contains("\"state\":\"completed\""), "\(shown)")
        let failed = try await run("jobs", "show", bad)
        #expect(failed.output.contains("the disk is on fire"), "\(failed)")
        #expect(try await run("failed").output.contains("the disk is on fire"))
        #expect(try await run("jobs", "retry", bad).status == 0)
        #expect(try await run("jobs", "list", "--state", "available", "--json").output.contains("\"id\":\(bad)"))
        #expect(try await run("queues", "list").status == 0)
        #expect(try await run("workers").status == 0)
        let doctor = try await run("doctor")
        #expect(doctor.output.contains("PostgreSQL"), "\(doctor)")
        #expect(!spoken.contains("secret"))
    }

    @Test func `a server that cannot be reached is said, without the password`() async throws {
        let program = try Program()
        for command in [["stats"], ["enqueue", "k"], ["migrate", "up"]] {
            let result = try await program.run(command + ["--database", "postgres://u:secret@127.0.0.1:1/jobs"])
            #expect(result.status == 5)
            #expect(result.output == "")
            #expect(result.errors.contains("127.0.0.1"), "\(result.errors)")
            #expect(result.errors.contains("refused"), "\(result.errors)")
            #expect(!result.errors.contains("secret"))
        }
    }
}
