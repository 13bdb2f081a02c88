import MartletTestSupport
import Testing

@testable import MartletPQ

/// Behind a PgBouncer, whose sessions are lent for one transaction and are fewer than our connections.
@Suite struct PoolerTests {
    private func withPooler(
        mode: String = "transaction", _ body: (PostgresServer, PgBouncer) async throws -> Void
    ) async throws {
        let server = try PostgresServer()
        try await body(server, try PgBouncer(before: server, mode: mode))
    }

    private let plus = Statement("select $1::int8 + 1")
    private let minus = Statement("select $1::int8 - 1")

    @Test func `a plain URL to a pooler works, and leaves nothing in its sessions`() async throws {
        try await withPooler { (server, pooler) async throws in
            try await withClient(pooler.url()) { (one) async throws in
                try await withClient(pooler.url()) { (other) async throws in
                    try await withThrowingTaskGroup(of: Bool.self) { group in
                        for number in Int64(0)..<400 {
                            let (client, statement) = (number % 3 == 0 ? other : one, number % 2 == 0 ? plus : minus)
                            let expected = number % 2 == 0 ? number + 1 : number - 1
                            group.addTask { try await client.run(statement, [.int8(number)]).int(0, 0) == expected }
                        }
                        for try await isRight in group { #expect(isRight) }
                    }
                    for client in [one, other] {
                        #expect(try await client.int("select count(*) from pg_prepared_statements") == 0)
                        #expect(client.isPooled)
                    }
                }
            }
            let sessions = try server.psql("select count(*) from pg_stat_activity where application_name = 'martlet'")
            #expect(["0\n", "1\n", "2\n"].contains(sessions), "\(sessions)")
        }
    }

    @Test func `a direct connection is known as one, and keeps its statements`() async throws {
        try await withClient({ $0.connections = 1 }) { (client) async throws in
            for number in Int64(0)..<3 { #expect(try await client.run(plus, [.int8(number)]).int(0, 0) == number + 1) }
            #expect(try await client.int("select count(*) from pg_prepared_statements") == 1)
            #expect(!client.isPooled)
        }
    }

    @Test func `what pools by session keeps statements and notifications, when the URL says so`() async throws {
        try await withPooler(mode: "session") { (server, pooler) async throws in
            try await withClient(pooler.url() + "?pooler=session", { $0.connections = 1 }) { (client) async throws in
                _ = try await client.run(plus, [.int8(1)])
                #expect(try await client.int("select count(*) from pg_prepared_statements") == 1)
                var notices = client.notifications(["a"]).makeAsyncIterator()
                #expect(await notices.next() == .listening)
                try server.psql("notify a, 'heard'")
                #expect(await notices.next() == .notification(channel: "a", payload: "heard"))
            }
        }
    }

    @Test(arguments: ["", "?pooler=transaction"])
    func `nobody listens in a session that is lent`(words: String) async throws {
        try await withPooler { (server, pooler) async throws in
            try await withClient(pooler.url() + words) { (client) async throws in
                var notices: [Notice] = []
                for await notice in client.notifications(["a"]) { notices.append(notice) }
                #expect(notices == [.deaf])
                #expect(try server.psql("select count(*) from pg_stat_activity where query like 'listen%'") == "0\n")
            }
        }
    }

    @Test func `the listener may have an address of its own`() async throws {
        try await withPooler { (server, pooler) async throws in
            try await withClient(pooler.url()) { (client) async throws in
                var notices = client.notifications(["a"], conninfo: try Conninfo(server.url())).makeAsyncIterator()
                #expect(await notices.next() == .listening)
                _ = try await client.run(.once("select pg_notify('a', 'direct')"))
                #expect(await notices.next() == .notification(channel: "a", payload: "direct"))
            }
        }
    }

    @Test func `a pooler that dies is found again`() async throws {
        try await withPooler { (server, pooler) async throws in
            try await withClient(pooler.url()) { (client) async throws in
                let sent = Task { try await client.int("select 1 from pg_sleep(600)") }
                try await eventually {
                    try server.psql("select count(*) from pg_stat_activity where wait_event = 'PgSleep'") == "1\n"
                }
                try pooler.stop()
                let error = try await #require(throws: PQError.self) { _ = try await sent.value }
                #expect(error.code == .unknownOutcome && error.isTransient)
                try pooler.start()
                #expect(try await client.int("select 1") == 1)
            }
        }
    }

    @Test func `a server that is away behind the pooler is waited for`() async throws {
        let server = try PostgresServer()
        let pooler = try PgBouncer(before: server, settings: ["server_login_retry = 1", "query_wait_timeout = 2"])
        try await withClient(pooler.url()) { (client) async throws in
            #expect(try await client.int("select 1") == 1)
            try server.stop()
            // Some are told, by the pooler, that their session ended; none that waiting is of no use.
            for _ in 0..<3 {
                let error = try await client.failure("select 1", within: .milliseconds(300))
                #expect(error.isTransient, "\(error)")
            }
            try server.start()
            try await eventually {
                do { return try await client.int("select 1") == 1 } catch let error as PQError {
                    #expect(error.isTransient, "\(error)")
                    return false
                }
            }
        }
    }

    @Test func `a request whose time is over is stopped on the server, through the pooler`() async throws {
        try await withPooler { (server, pooler) async throws in
            try await withClient(pooler.url(), { $0.connections = 1 }) { (client) async throws in
                _ = try await client.int("select 1")
                let error = try await client.failure("select pg_sleep(600)", within: .milliseconds(200))
                #expect(error.code == .deadline, "\(error)")
                #expect(try await client.int("select 1") == 1)
                #expect(try server.psql("select count(*) from pg_stat_activity where wait_event = 'PgSleep'") == "0\n")
            }
        }
    }

    @Test func `what a pooler refuses for good is told at once`() async throws {
        let server = try PostgresServer()
        let pooler = try PgBouncer(before: server, password: "s3cret")
        try await withClient(pooler.url(password: "wr0ng")) { (client) async throws in
            let error = try await client.failure("select 1", within: .seconds(600))
            #expect(error.code == .refused && !error.description.contains("wr0ng"), "\(error)")
        }
        try await withClient(pooler.url(password: "s3cret") + "?options=-cwork_mem%3D1MB") { (client) async throws in
            let error = try await client.failure("select 1", within: .seconds(600))
            #expect(error.code == .refused && error.message.contains("options"), "\(error)")
        }
    }
}

@Suite struct PoolerWordTests {
    @Test(arguments: [
        ("postgres://ann@db/shop?pooler=transaction", "postgres://ann@db/shop", Pooler.transaction),
        ("postgres://db/shop?sslmode=require&pooler=none&user=ann", "postgres://db/shop?sslmode=require&user=ann", .direct),
        ("postgres://ann:?pooler=none@db/shop?pooler=session", "postgres://ann:?pooler=none@db/shop", .session),
        ("postgres://db/shop", "postgres://db/shop", nil),
        ("host=db pooler=session dbname=shop", "host=db  dbname=shop", .session),
        ("pooler = 'auto'", "", .auto),
        (#"host=db application_name='a \' pooler=none'"#, #"host=db application_name='a \' pooler=none'"#, nil),
    ]) func `our word is taken out of a connection string`(string: String, rest: String, pooler: Pooler?) throws {
        let taken = try Pooler.take(from: string)
        #expect(taken.rest == rest && taken.pooler == pooler)
    }

    @Test func `a pooler of no kind is refused, with the kinds there are`() throws {
        let error = try #require(throws: PQError.self) { _ = try Conninfo("postgres://a:s3cret@db/shop?pooler=magic") }
        #expect(error.code == .invalid && error.message.contains("auto, none, session, transaction"))
        #expect(!error.message.contains("s3cret"))
    }
}
