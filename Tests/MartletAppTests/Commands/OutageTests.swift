import Foundation
import Glibc
import MartletTestSupport
import Testing

/// A worker whose PostgreSQL server is stopped under it.
@Suite struct OutageTests {
    let program: Program
    let server: PostgresServer

    init() throws {
        program = try Program()
        server = try PostgresServer()
        try program.directory.write(
            "martlet.yaml",
            """
            concurrency: 1
            kinds:
              slow: { command: [sh, -c, 'touch begun; while [ ! -e go ]; do sleep 0.02; done'] }
            """)
    }

    private func run(_ arguments: String...) async throws -> Program.Result {
        try await program.run(arguments + ["--database", server.url()])
    }

    private func startWorker() throws -> RunningProgram {
        try RunningProgram(program, ["worker", "--database", server.url()])
    }

    private func count(_ text: String) throws -> Int { try program.read("errors").components(separatedBy: text).count - 1 }

    @Test func `an outage is said once, long before a lease is over, and its end, too`() async throws {
        #expect(try await run("migrate", "up").status == 0)
        let worker = try startWorker()
        try await worker.wait(forError: "worker started")
        try server.stop(.fast)
        try await worker.wait(forError: "the database is away; trying on")
        try server.start()
        try await worker.wait(forError: "the database is back")
        // A lease of 30 s is not trusted any more after 25: whoever had waited that long for an answer would have said so.
        #expect(try count(#""reason":"expired""#) == 0)
        #expect(try count("the database is away") == 1)
        kill(worker.process.processIdentifier, SIGTERM)
        #expect(try await worker.result().status == 0)
    }

    @Test func `a worker ends while its database is away, and says what that will not know`() async throws {
        #expect(try await run("migrate", "up").status == 0)
        #expect(try await run("enqueue", "slow").status == 0)
        let worker = try startWorker()
        try await worker.wait(forFile: "begun")
        try server.stop(.fast)
        try await worker.wait(forError: "the database is away; trying on")
        try program.directory.write("go", "")
        try await worker.wait(forError: "job completed")
        kill(worker.process.processIdentifier, SIGTERM)
        let result = try await worker.result()
        #expect(result.status == 0, "\(result.errors)")
        #expect(
            result.errors.contains("could not be told how jobs ended; they run again when this worker's lease is over"),
            "\(result.errors)")
        #expect(result.errors.contains(#""jobs":1"#))
        #expect(try count(#""reason":"expired""#) == 0)
        try server.start()
        #expect(try await run("stats", "--json").output.contains(#""running":1"#))
    }
}
