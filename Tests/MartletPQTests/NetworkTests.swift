import Foundation
import MartletPQ
import MartletTestSupport
import Testing

/// A server on another machine, and a cable that can be cut. What was sent into the void would wait for a quarter of an hour
/// by the kernel's own rules, and an idle connection for two hours.
@Suite struct NetworkTests {
    @Test(.timeLimit(.minutes(2)))
    func `a network that drops everything is noticed, and after it heals all goes on`() async throws {
        let machine = try NetworkNamespace()
        let server = try PostgresServer(.init(namespace: machine))
        try await withClient(server.url(), { $0.dedicated = [.heartbeat] }) { (client) async throws in
            try await client.script("create table t (x int8)")
            _ = try await client.run(.once("select 1"), lane: .heartbeat)
            var notices = client.notifications(["a"]).makeAsyncIterator()
            #expect(await notices.next() == .listening)
            // One waits for an answer, and one is sent into the cut cable. Neither has a deadline that could end it.
            let waiting = Task { try await client.int("select 1 from pg_sleep(3600)", within: .seconds(3_600)) }
            try await eventually {
                try server.psql("select count(*) from pg_stat_activity where wait_event = 'PgSleep'") == "1\n"
            }
            try machine.cut()
            let sent = Task {
                try await client.run(.once("insert into t values (1)"), within: .seconds(3_600), lane: .heartbeat)
            }
            for task in [Task { _ = try await waiting.value }, Task { _ = try await sent.value }] {
                let error = try await #require(throws: PQError.self) { try await task.value }
                #expect(error.code == .unknownOutcome && error.isTransient, "\(error)")
            }
            guard case .lost? = await notices.next() else {
                Issue.record("the listener noticed nothing")
                return
            }
            let later = Task { try await client.int("select 2", within: .seconds(3_600)) }
            try machine.heal()
            #expect(try await later.value == 2)
            _ = try await client.run(.once("insert into t values (2)"), lane: .heartbeat)
            while let notice = await notices.next(), notice != .listening {}
            try server.psql("notify a, 'again'")
            #expect(await notices.next() == .notification(channel: "a", payload: "again"))
        }
    }

    @Test(.timeLimit(.minutes(2)))
    func `of two hosts the one behind a cut cable is left for the other`() async throws {
        let machine = try NetworkNamespace()
        let far = try PostgresServer(.init(namespace: machine))
        let near = try PostgresServer.shared()
        let url = "postgres://postgres@\(machine.address):\(far.port),127.0.0.1:\(near.port)/postgres"
        try await withClient(url, { $0.connectTimeout = .seconds(1) }) { (client) async throws in
            #expect(try await client.int("select inet_server_port()") == Int64(far.port))
            try machine.cut()
            let error = try await client.failure("select 1", within: .seconds(3_600))
            #expect(error.code == .unknownOutcome, "\(error)")
            #expect(try await client.int("select inet_server_port()", within: .seconds(3_600)) == Int64(near.port))
        }
    }
}
