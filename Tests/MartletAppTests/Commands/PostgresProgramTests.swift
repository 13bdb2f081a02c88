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

    @Test func `after a dump was restored, doctor says it, repair rebase mends it`() async throws {
        let server = try PostgresServer.shared()
        let program = try Program()
        let (old, new) = (try server.makeDatabase(), try server.makeDatabase())
        func run(_ database: String, _ arguments: String...) async throws -> Program.Result {
            try await program.run(arguments, environment: ["MARTLET_DATABASE_URL": server.url(database: database)])
        }
        #expect(try await run(old, "repair", "rebase").errors.contains("run martlet migrate up"))
        #expect(try await run(old, "migrate", "up").status == 0)
        for _ in 0..<2 { #expect(try await run(old, "enqueue", "good").status == 0) }
        #expect(try await run(old, "repair", "rebase").output.contains("nothing to do"))
        // The roles are the cluster's own, and not in the dump.
        try server.psql(try server.dump(database: old), database: new)

        try program.directory.write("martlet.yaml", "kinds: { good: { command: [cat] } }\n")
        for command in [["enqueue", "good"], ["worker", "--drain"]] {
            let result = try await program.run(command, environment: ["MARTLET_DATABASE_URL": server.url(database: new)])
            #expect(result.status == 5)
            #expect(result.errors.contains("run martlet repair rebase"), "\(result.errors)")
        }
        let doctor = try await run(new, "doctor")
        #expect(doctor.status == 1)
        #expect(doctor.output.contains("run martlet repair rebase"), "\(doctor.output)")

        let asked = try await run(new, "repair", "rebase")
        #expect(asked.status == 4)
        #expect(asked.errors.contains("2 jobs that waited, 0 jobs that ran"), "\(asked.errors)")
        let mended = try await run(new, "repair", "rebase", "--yes", "--json")
        #expect(mended.output == #"{"repair":"rebase","needed":true,"available":2,"running":0}"# + "\n", "\(mended.errors)")
        #expect(
            try await run(new, "repair", "rebase", "--json").output
                == #"{"repair":"rebase","needed":false,"available":0,"running":0}"# + "\n")
        #expect(try await run(new, "doctor").status == 0)
        #expect(try await run(new, "worker", "--drain").status == 0)
        #expect(try await run(new, "stats", "--json").output.contains("\"completed\":2"))
    }

    @Test func `the queue may live in a schema of any name`() async throws {
        let server = try PostgresServer.shared()
        let program = try Program()
        let url = server.url(database: try server.makeDatabase())
        let name = "Mar \"t'let\\"
        func run(_ arguments: String...) async throws -> Program.Result {
            try await program.run(arguments + ["--schema", name], environment: ["MARTLET_DATABASE_URL": url])
        }
        #expect(try await run("enqueue", "good").errors.contains("run martlet migrate up"))
        #expect(try await run("migrate", "plan").output.contains(#""Mar ""t'let\""#))
        #expect(try await run("migrate", "up").status == 0)
        #expect(try await run("enqueue", "good").output == "1\n")
        #expect(try await run("jobs", "show", "1", "--json").output.contains(#""state":"available""#))
        let byURL = try await program.run(
            ["stats", "--json"], environment: ["MARTLET_DATABASE_URL": url + "?schema=Mar%20%22t%27let%5C"])
        #expect(byURL.output.contains(#""available":1"#), "\(byURL.errors)")
        // Nothing is in the usual one.
        #expect(try await program.run(["stats"], environment: ["MARTLET_DATABASE_URL": url]).status == 5)
        let wrong = try await program.run(["stats", "--schema", "a", "--database", "sqlite:x.db"])
        #expect(wrong.status == 2)
        #expect(wrong.errors.contains("--schema"))
    }

    @Test(arguments: [false, true])
    func `what a command writes that is no text is kept as far as it goes`(isPostgres: Bool) async throws {
        let program = try Program()
        var environment: [String: String] = [:]
        if isPostgres {
            let server = try PostgresServer.shared()
            environment["MARTLET_DATABASE_URL"] = server.url(database: try server.makeDatabase())
            #expect(try await program.run(["migrate", "up"], environment: environment).status == 0)
        }
        try program.directory.write(
            "martlet.yaml",
            """
            kinds:
              bad: { command: [sh, -c, 'printf "a\\000b\\377c" >&2; exit 1'], retry: { max: 1 } }
              odd: { command: [sh, -c, 'printf "a\\000b\\377c"'] }
            """)
        #expect(try await program.run(["enqueue", "bad"], environment: environment).output == "1\n")
        #expect(try await program.run(["enqueue", "odd"], environment: environment).output == "2\n")
        let worker = try await program.run(["worker", "--drain"], environment: environment)
        #expect(worker.status == 0, "\(worker.errors)")
        let failed = try await program.run(["jobs", "show", "1", "--json"], environment: environment).output
        #expect(failed.contains("a\u{2400}b\u{FFFD}c"), "\(failed)")
        let completed = try await program.run(["jobs", "show", "2", "--json"], environment: environment).output
        #expect(completed.contains(#""state":"completed""#) && completed.contains("b\u{FFFD}c"), "\(completed)")
        let refused = try await program.run(["enqueue", "bad", #"{"a": "b\u0000c"}"#], environment: environment)
        #expect(refused.status == 2)
        #expect(
            refused.errors.contains("ARGS-JSON") && refused.errors.contains("NUL") && refused.errors.contains("at byte 8"),
            "\(refused.errors)")
    }
}
