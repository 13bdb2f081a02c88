import Foundation
import Glibc
import MartletTestSupport
import Testing

/// The ways to a PostgreSQL database, and that no password shows on any of them.
@Suite struct PostgresConnectionTests {
    private let program: Program
    private let server: PostgresServer

    private static let password = "s3cr@t /ü"
    private static let escaped = "s3cr%40t%20%2F%C3%BC"

    init() throws {
        program = try Program()
        server = try PostgresServer()
        try server.psql("alter role postgres password '\(Self.password)'")
        try server.allow(["host all all 127.0.0.1/32 scram-sha-256", "local all all trust"])
    }

    /// What may come from elsewhere than the URL, each way enough to get in.
    private func ways() throws -> [[String: String]] {
        let passwords = try program.directory.write("passwords", "127.0.0.1:*:*:postgres:\(Self.password)\n")
        chmod(passwords, 0o600)
        let services = try program.directory.write(
            "services",
            "[queue]\nhost=127.0.0.1\nport=\(server.port)\nuser=postgres\ndbname=postgres\npassword=\(Self.password)\n")
        let place = ["PGHOST": "127.0.0.1", "PGPORT": "\(server.port)", "PGUSER": "postgres", "PGDATABASE": "postgres"]
        return [
            ["MARTLET_DATABASE_URL": server.url(password: Self.escaped)],
            ["MARTLET_DATABASE_URL": server.url() + "?password=\(Self.escaped)"],
            ["MARTLET_DATABASE_URL": server.url(), "PGPASSWORD": Self.password],
            ["MARTLET_DATABASE_URL": server.url(), "PGPASSFILE": passwords],
            place.merging(["MARTLET_DATABASE_URL": "postgres://", "PGPASSFILE": passwords]) { $1 },
            ["MARTLET_DATABASE_URL": "postgres://", "PGSERVICEFILE": services, "PGSERVICE": "queue"],
            ["MARTLET_DATABASE_URL": "postgres:///?service=queue", "PGSERVICEFILE": services],
        ]
    }

    @Test(.timeLimit(.minutes(5))) func `every way leads in, and no password shows, whatever happens`() async throws {
        try program.directory.write(
            "martlet.yaml", "kinds:\n  show: { command: [sh, -c, 'env; cat /proc/$PPID/cmdline'] }\n")
        var said = ""
        func run(_ arguments: [String], _ environment: [String: String], status: Int32 = 0) async throws {
            let result = try await program.run(arguments, environment: environment)
            #expect(result.status == status, "\(arguments): \(result.errors)")
            said += result.output + result.errors
        }
        for (number, environment) in try ways().enumerated() {
            try await run(["migrate"], environment)
            try await run(["enqueue", "show"], environment)
            try await run(["worker", "--drain", "--log-level", "trace"], environment)
            for command in [["doctor"], ["migrate", "status"], ["jobs", "list", "--json"], ["workers"]] {
                try await run(command, environment)
            }
            try await run(["jobs", "show", "\(number + 1)"], environment)
        }
        try server.stop()
        for environment in try ways() { try await run(["stats"], environment, status: 5) }
        let forms = [Self.password, Self.escaped, "s3cr@t", "s3cr%40t", "s3cr\\@t"]
        for form in forms { #expect(!said.contains(form), "\(form) was shown") }
        #expect(said.contains("MARTLET_JOB_ID"), "the handler showed nothing")
    }

    @Test(.timeLimit(.minutes(3)))
    func `behind a pooler all commands work by polling, and the worker says so`() async throws {
        let server = try PostgresServer()
        let pooler = try PgBouncer(before: server)
        let url = ["MARTLET_DATABASE_URL": pooler.url()]
        func run(_ arguments: String...) async throws -> Program.Result {
            let result = try await program.run(arguments, environment: url)
            #expect(result.status == 0, "\(arguments): \(result.errors)")
            return result
        }
        _ = try await run("migrate")
        _ = try await run("migrate", "roles")
        try program.directory.write("martlet.yaml", "kinds:\n  k: { command: [cat] }\n")
        try program.directory.write("jobs", String(repeating: "{\"a\": 1}\n", count: 500))
        _ = try await run("enqueue", "k", "{}")
        _ = try await run("enqueue", "k", "--from", "jobs")
        _ = try await run("enqueue", "other", "--in", "1h")
        let worker = try await run("worker", "--drain", "--poll", "50ms", "--concurrency", "20")
        #expect(worker.errors.contains("is a pooler") && worker.errors.contains("polling"), "\(worker.errors)")
        #expect(try await run("stats").output.contains(#/completed +501\n/#))
        #expect(try await run("jobs", "list", "--json").output.contains("\"state\":\"completed\""))
        _ = try await run("jobs", "cancel", "--state", "scheduled", "--yes")
        _ = try await run("failed")
        _ = try await run("queues", "list")
        #expect(try await run("doctor").output.contains("pooler"))

        _ = try await run("enqueue", "k", "{}")
        let direct = try await run("worker", "--drain", "--listen-database", server.url())
        #expect(!direct.errors.contains("is a pooler"), "\(direct.errors)")
    }

    @Test func `an address to listen at is for PostgreSQL`() async throws {
        try program.directory.write("martlet.yaml", "kinds:\n  k: { command: [cat] }\n")
        let sqlite = try await program.run("worker", "--drain", "--listen-database", "postgres://a:s3cret@b/c")
        #expect(sqlite.status == 2 && sqlite.errors.contains("--listen-database"), "\(sqlite.errors)")
        let file = try await program.run(
            "worker", "--drain", "--database", server.url(), "--listen-database", "sqlite:x.db")
        #expect(file.status == 2 && file.errors.contains("--listen-database"), "\(file.errors)")
    }
}
