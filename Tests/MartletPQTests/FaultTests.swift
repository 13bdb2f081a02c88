import Foundation
import MartletPQ
import MartletTestSupport
import Testing

/// Each with a server of its own, to stop and to start.
@Suite struct FaultTests {
    private func withServer(
        _ change: (inout PQOptions) -> Void = { _ in }, _ body: (PostgresServer, PQClient) async throws -> Void
    ) async throws {
        let server = try PostgresServer()
        try await withClient(server.url(), change) { client in try await body(server, client) }
    }

    private func sleeping(_ server: PostgresServer) throws -> Int {
        try Int(server.psql("select count(*) from pg_stat_activity where wait_event = 'PgSleep'").dropLast()) ?? 0
    }

    @Test func `a request that waits while the server is away goes through when it is back`() async throws {
        try await withServer { server, client in
            #expect(try await client.int("select 1") == 1)
            try server.stop()
            let waiting = (0..<50).map { number in Task { try await client.int("select \(number)::int8") } }
            try server.start()
            for (number, task) in waiting.enumerated() { #expect(try await task.value == Int64(number)) }
        }
    }

    @Test(arguments: [PostgresServer.StopMode.fast, .immediate])
    func `a request that was sent when the connection broke has an unknown outcome`(mode: PostgresServer.StopMode)
        async throws
    {
        try await withServer { server, client in
            let sent = Task { try await client.int("select pg_sleep(600)") }
            try await eventually { try sleeping(server) == 1 }
            try server.restart(mode)
            let error = try await #require(throws: PQError.self) { _ = try await sent.value }
            #expect(error.code == .unknownOutcome && error.isTransient)
            #expect(try await client.int("select 1") == 1)
        }
    }

    @Test func `a server that is killed is found again, with every request answered one way or the other`() async throws {
        try await withServer { server, client in
            try await client.script("create table t (x int8)")
            let insert = Statement("insert into t values ($1)")
            let tasks = (0..<400).map { number in
                Task {
                    do throws(PQError) {
                        _ = try await client.run(insert, [.int8(Int64(number))], within: .seconds(60))
                        return "done"
                    } catch { return "\(error.code)" }
                }
            }
            try await eventually { try await client.int("select count(*) from t") > 10 }
            try server.kill()
            // Its children notice within a moment; until then the port and the data are theirs.
            try await eventually { (try? server.start()) != nil }
            var outcomes: [String: Int64] = [:]
            for task in tasks { outcomes[await task.value, default: 0] += 1 }
            #expect(Set(outcomes.keys).isSubset(of: ["done", "unknownOutcome"]), "\(outcomes)")
            let rows = try await client.int("select count(*) from t")
            #expect(rows >= outcomes["done"] ?? 0)
            #expect(rows <= (outcomes["done"] ?? 0) + (outcomes["unknownOutcome"] ?? 0))
        }
    }

    @Test func `a server that stands still is given up in bounded time`() async throws {
        try await withServer { server, client in
            #expect(try await client.int("select 1") == 1)
            try server.freeze()
            let error = try await client.failure("select 1", within: .milliseconds(100))
            #expect(error.code == .unknownOutcome)
            try server.thaw()
            #expect(try await client.int("select 2") == 2)
        }
    }

    @Test func `a backend that is terminated is replaced`() async throws {
        try await withServer { server, client in
            let pid = try await client.int("select pg_backend_pid()")
            try server.psql("select pg_terminate_backend(\(pid))")
            try await eventually {
                do { return try await client.int("select pg_backend_pid()") != pid } catch let error as PQError {
                    // It was sent before the end had arrived.
                    #expect(error.code == .unknownOutcome)
                    return false
                }
            }
        }
    }

    @Test func `a session that turned read-only is left for another`() async throws {
        try await withServer({ $0.connections = 1 }) { server, client in
            try await client.script("create table t (x int); set default_transaction_read_only = on")
            let pid = try await client.int("select pg_backend_pid()")
            _ = try await client.run(.once("insert into t values (1)"))
            #expect(try await client.int("select count(*) from t") == 1)
            #expect(try await client.int("select pg_backend_pid()") != pid)
        }
    }

    @Test func `where every session is read-only the request fails in the end, and says why`() async throws {
        try await withServer { server, client in
            try await client.script("create table t (x int)")
            try await client.script("alter system set default_transaction_read_only = on")
            try server.restart()
            let error = try await client.failure("insert into t values (1)", within: .milliseconds(500))
            #expect(error.sqlState == "25006" && error.isTransient, "\(error)")
        }
    }

    @Test func `two hundred lost connections leave no descriptor behind`() async throws {
        try await withServer({ $0.connections = 1 }) { server, client in
            let terminate = Statement("select pg_terminate_backend(pg_backend_pid())")
            _ = try await client.int("select 1")
            let mine = "/proc/self/fd"
            func sockets() throws -> Int {
                let links = try FileManager.default.contentsOfDirectory(atPath: mine).compactMap { name in
                    try? FileManager.default.destinationOfSymbolicLink(atPath: "\(mine)/\(name)")
                }
                return links.count { $0.hasPrefix("socket:") }
            }
            let before = try sockets()
            for _ in 0..<200 {
                let error = try await #require(throws: PQError.self) { _ = try await client.run(terminate) }
                #expect(error.code == .unknownOutcome)
                // An answer resets the pause before the next attempt.
                _ = try await client.int("select 1")
            }
            // Other tests of this process have connections too, but not two hundred.
            #expect(try sockets() < before + 100)
        }
    }

    @Test func `too many connections is a reason to wait`() async throws {
        let server = try PostgresServer(
            .init(settings: ["superuser_reserved_connections = 0", "max_connections = 3", "max_wal_senders = 0"]))
        let others = try (0..<3).map { _ in PQClient(try PQOptions(server.url())) }
        for other in others { #expect(try await other.int("select 1") == 1) }
        try await withClient(server.url()) { client in
            let error = try await client.failure("select 1", within: .milliseconds(300))
            #expect(error.code == .unavailable && error.sqlState == "53300" && error.isTransient, "\(error)")
            let waiting = Task { try await client.int("select 5") }
            for other in others { await other.close() }
            #expect(try await waiting.value == 5)
        }
    }
}
