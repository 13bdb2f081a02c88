import Foundation
import MartletTestSupport
import Testing

/// What can be wrong with a PostgreSQL database, as a person meets it: a status and one sentence that says what to do.
@Suite struct PostgresBadInputTests {
    private let program: Program
    private let server: PostgresServer
    private let database: String

    init() throws {
        program = try Program()
        server = try PostgresServer.shared()
        database = try server.makeDatabase()
    }

    private func run(_ arguments: String..., url: String? = nil) async throws -> Program.Result {
        try await program.run(
            arguments, environment: ["MARTLET_DATABASE_URL": url ?? server.url(database: database)])
    }

    /// Ends with status 5, says all of it, and nothing on standard output.
    private func expect(
        _ result: Program.Result, says words: String..., at: SourceLocation = #_sourceLocation
    ) {
        #expect(result.status == 5, "\(result.errors)", sourceLocation: at)
        #expect(result.output == "", sourceLocation: at)
        for word in words { #expect(result.errors.contains(word), "\(result.errors)", sourceLocation: at) }
        #expect(result.errors.hasPrefix("martlet: "), sourceLocation: at)
        #expect(result.errors.count { $0 == "\n" } == 1, "\(result.errors)", sourceLocation: at)
    }

    @Test func `a wrong password, and none where one is needed`() async throws {
        let server = try PostgresServer()
        try server.psql("create role ann login password 's3cret'")
        try server.allow(["host all ann 127.0.0.1/32 scram-sha-256", "host all all 127.0.0.1/32 trust"])
        let wrong = try await run("stats", url: server.url(user: "ann", password: "wr0ng"))
        expect(wrong, says: #"password authentication failed for user "ann""#)
        #expect(!wrong.errors.contains("wr0ng"))
        expect(try await run("stats", url: server.url(user: "ann")), says: "no password", "PGPASSWORD")
    }

    @Test func `a database that is not there, and one without a queue`() async throws {
        expect(
            try await run("enqueue", "k", url: server.url(database: "nowhere")), says: #"database "nowhere" does not exist"#)
        expect(try await run("enqueue", "k"), says: "run martlet migrate up")
        expect(try await run("doctor"), says: "run martlet migrate up")
    }

    @Test func `a schema of a newer version`() async throws {
        #expect(try await run("migrate").status == 0)
        try server.psql(
            "insert into martlet.migration (version, name, serves) values (999, 'later', 999)", database: database)
        for command in ["enqueue k", "stats", "doctor", "jobs list"] {
            let words = command.split(separator: " ").map(String.init)
            let result = try await program.run(
                words, environment: ["MARTLET_DATABASE_URL": server.url(database: database)])
            expect(result, says: "schema version 999", "newer martlet")
        }
    }

    @Test func `a user without the right role is told which one to ask for`() async throws {
        #expect(try await run("migrate").status == 0)
        #expect(try await run("migrate", "roles").status == 0)
        let user = "user_\(database)"
        try server.psql("create role \(user) login")
        let url = server.url(database: database, user: user)
        expect(
            try await run("enqueue", "k", url: url), says: "permission denied", "grant", "martlet_worker", "martlet_producer"
        )
        try server.psql("grant martlet_producer to \(user)")
        #expect(try await run("enqueue", "k", url: url).status == 0)
        expect(try await run("jobs", "cancel", "1", url: url), says: "function repair", "grant this user martlet_admin")
        expect(try await run("stats", url: url), says: "grant this user martlet_reader")
        try program.directory.write("martlet.yaml", "kinds:\n  k: { command: [cat] }\n")
        let worker = try await run("worker", "--drain", url: url)
        #expect(worker.status == 5 && worker.errors.contains("grant this user martlet_worker"), "\(worker.errors)")
        try server.psql("drop owned by \(user); drop role \(user)")
    }

    @Test func `a server that is too old`() async throws {
        let ancient = try AncientServer()
        for command in ["stats", "migrate", "doctor"] {
            expect(try await run(command, url: ancient.url), says: "PostgreSQL 12.9", "13 or newer", "transaction ids")
        }
    }

    @Test(.timeLimit(.minutes(3))) func `a standby`() async throws {
        let primary = try PostgresServer()
        #expect(try await run("migrate", url: primary.url()).status == 0)
        let standby = try primary.makeStandby()
        expect(try await run("enqueue", "k", url: standby.url()), says: "standby", "target_session_attrs=read-write")
        expect(
            try await run("enqueue", "k", url: standby.url() + "?target_session_attrs=read-write"),
            says: "read-only")
        #expect(try await run("stats", url: standby.url()).status == 0)
        let doctor = try await run("doctor", url: standby.url())
        #expect(doctor.status == 1 && doctor.output.contains("a standby: nothing can be written here"))
    }

    @Test func `a server without TLS where TLS is asked for`() async throws {
        expect(try await run("stats", url: server.url() + "?sslmode=require"), says: "does not support SSL")
    }

    @Test func `a pooler of no kind`() async throws {
        let result = try await run("stats", url: "postgres://ann:s3cret@db/shop?pooler=magic")
        #expect(result.status == 2 && result.errors.contains("MARTLET_DATABASE_URL"), "\(result.errors)")
        #expect(!result.errors.contains("s3cret"))
    }

    @Test(.timeLimit(.minutes(3))) func `a running worker waits for a server that goes away, and says so`() async throws {
        let server = try PostgresServer()
        let url = server.url()
        #expect(try await run("migrate", url: url).status == 0)
        try program.directory.write("martlet.yaml", "kinds:\n  k: { command: [cat] }\n")
        let worker = try Program(in: program.directory)
        let process = try worker.prepare(["worker"], environment: ["MARTLET_DATABASE_URL": url])
        async let ended = worker.finish(process)
        func waitFor(_ words: String) async throws {
            while try !worker.read("errors").contains(words) { try await Task.sleep(for: .milliseconds(5)) }
        }
        try await waitFor("worker started")
        try server.stop(.immediate)
        try await waitFor("the database is away; trying on")
        try server.start()
        try await waitFor("the database is back")
        #expect(try await run("enqueue", "k", url: url).status == 0)
        while try await !run("stats", url: url).output.contains(#/completed +1\n/#) {}
        process.terminate()
        let result = try await ended
        #expect(result.status == 0, "\(result.errors)")
    }
}
