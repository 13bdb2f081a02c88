import MartletPQ
import MartletTestSupport
import Testing

@Suite struct NotificationTests {
    @Test func `what is notified arrives, from any channel, whatever its name`() async throws {
        try await withClient { client in
            var notices = client.notifications(["plain", #"odd "name"; select"#]).makeAsyncIterator()
            #expect(await notices.next() == .listening)
            _ = try await client.run(.once("select pg_notify('plain', 'one')"))
            _ = try await client.run(.once(#"select pg_notify('odd "name"; select', 'two')"#))
            #expect(await notices.next() == .notification(channel: "plain", payload: "one"))
            #expect(await notices.next() == .notification(channel: #"odd "name"; select"#, payload: "two"))
        }
    }

    @Test func `a listener that lost its connection says so, and listens again`() async throws {
        let server = try PostgresServer()
        try await withClient(server.url()) { (client) async throws in
            var notices = client.notifications(["a"]).makeAsyncIterator()
            #expect(await notices.next() == .listening)
            try server.restart(.immediate)
            var hasLost = false
            while let notice = await notices.next() {
                if case .lost = notice { hasLost = true }
                if notice == .listening { break }
            }
            #expect(hasLost)
            _ = try await client.run(.once("select pg_notify('a', 'again')"))
            #expect(await notices.next() == .notification(channel: "a", payload: "again"))
        }
    }

    @Test func `a listener whose server stands still is noticed`() async throws {
        let server = try PostgresServer()
        try await withClient(server.url(), { $0.liveness = .milliseconds(200) }) { (client) async throws in
            var notices = client.notifications(["a"]).makeAsyncIterator()
            #expect(await notices.next() == .listening)
            try server.freeze()
            guard case .lost? = await notices.next() else {
                Issue.record("nothing was noticed")
                return
            }
            try server.thaw()
            while let notice = await notices.next(), notice != .listening {}
            _ = try await client.run(.once("select pg_notify('a', 'again')"))
            #expect(await notices.next() == .notification(channel: "a", payload: "again"))
        }
    }

    @Test func `a quiet listener stays, and a stream that nobody reads any more lets its connection go`() async throws {
        let database = try PostgresServer.shared().makeDatabase()
        let url = try PostgresServer.shared().url(database: database)
        try await withClient(url, { $0.liveness = .milliseconds(20) }) { client in
            let count = """
                select count(*) from pg_stat_activity where datname = '\(database)' and pid <> pg_backend_pid()
                """
            let listener = Task {
                var seen = 0
                for await notice in client.notifications(["a"]) {
                    if case .lost = notice { return -1 }
                    seen += 1
                }
                return seen
            }
            // It is asked whether it lives, again and again, and is never lost.
            try await eventually {
                try PostgresServer.shared().psql(
                    "select count(*) from pg_stat_activity where datname = '\(database)' and query = 'select'") == "1\n"
            }
            listener.cancel()
            #expect(await listener.value == 1)
            try await eventually { try await client.int(count) == 0 }
        }
    }

    @Test func `closing the client ends the stream`() async throws {
        let client = PQClient(try PQOptions(PostgresServer.shared().url()))
        var notices = client.notifications(["a"]).makeAsyncIterator()
        #expect(await notices.next() == .listening)
        await client.close()
        #expect(await notices.next() == nil)
        var late = client.notifications(["a"]).makeAsyncIterator()
        #expect(await late.next() == nil)
    }
}
