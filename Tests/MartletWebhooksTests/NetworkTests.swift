import Glibc
import MartletCore
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Synchronization
import Testing

@testable import MartletWebhooks

/// Calls that no answer comes of.
@Suite struct NetworkTests {
    private func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

    // MARK: Failures

    @Test func `a refused connection names address and port`() async throws {
        let port = try await TestServer.running({ _ in .answer(200) }) { $0.port }
        let error = try await HTTPExecutor(.local("http://127.0.0.1:\(port)/")).run(call()).retried
        #expect(
            error
                == JobError(
                    type: "network",
                    message: "cannot connect to 127.0.0.1: 127.0.0.1 port \(port): Connection refused"))
    }

    @Test func `a host that cannot be found is tried again`() async throws {
        let error = try await HTTPExecutor(.local("http://nowhere.invalid/")).run(call()).retried
        #expect(error.type == "network" && error.message.hasPrefix("cannot look up the host nowhere.invalid: "))
    }

    @Test func `a server that hangs up is told as such`() async throws {
        try await TestServer.running({ _ in .hangUp }) { server in
            let error = try await HTTPExecutor(.local(server.url)).run(call()).retried
            #expect(
                error.message
                    == "no answer from \(server.url): the server closed the connection before its answer was complete")
        }
    }

    @Test func `an answer that is no HTTP is told as such`() async throws {
        try await TestServer.running({ _ in .garbage }) { server in
            let error = try await HTTPExecutor(.local(server.url)).run(call()).retried
            #expect(error.message.hasPrefix("no answer from \(server.url): what came is not HTTP"), "\(error.message)")
        }
    }

    // MARK: Cancellation

    @Test func `cancellation ends a call at once, and its connection`() async throws {
        try await TestServer.running({ _ in .silence }) { server in
            let executor = try HTTPExecutor(.local(server.url))
            let task = Task { await executor.run(call()) }
            try await eventually("the request arrived") { server.requests.count == 1 }
            task.cancel()
            #expect(await task.value == .interrupted)
            try await eventually("the connection is closed") { server.open == 0 }
        }
    }

    @Test func `cancellation ends the reading of a body`() async throws {
        // The head comes, and then less than anybody waits for.
        try await TestServer.running({ _ in .answer(200, headers: [("content-length", "100")], "some") }) { server in
            let executor = try HTTPExecutor(.local(server.url))
            let task = Task { await executor.run(call()) }
            try await eventually("the request arrived") { server.requests.count == 1 }
            task.cancel()
            #expect(await task.value == .interrupted)
        }
    }

    @Test func `cancellation does not wait for a name server`() async throws {
        let asked = Mutex(false)
        let release = Mutex(false)
        let lookup = HostLookup { _ in
            asked.withLock { $0 = true }
            while !release.withLock({ $0 }) { usleep(1_000) }
            return .failed("late")
        }
        let executor = try HTTPExecutor(.local("http://slow.example/"), lookup: lookup)
        let task = Task { await executor.run(call()) }
        try await eventually("it is looking") { asked.withLock { $0 } }
        task.cancel()
        #expect(await task.value == .interrupted)
        release.withLock { $0 = true }
    }

    // MARK: Addresses

    @Test(arguments: ["localhost", "LocalHost"])
    func `a name that means this machine is refused, and nothing is sent`(_ host: String) async throws {
        try await TestServer.running({ _ in .answer(200) }) { server in
            let spec = try HTTPSpec(url: .plain("http://\(host):\(server.port)/"))
            let error = try await HTTPExecutor(spec).run(call()).retried
            #expect(error.type == "network")
            #expect(error.message.contains(" is a loopback address"), "\(error.message)")
            #expect(error.message.hasSuffix("Nothing was sent; allow_private: true permits such addresses"))
            #expect(server.connections == 0)
        }
    }

    @Test func `the address that was looked at is the one that is called`() async throws {
        // A name server that says something harmless first, and loopback to whoever asks again.
        let answers = Mutex(0)
        let (harmless, loopback) = (try address("192.0.2.1"), try address("127.0.0.1"))
        let lookup = HostLookup { _ in
            answers.withLock { count in
                count += 1
                return .addresses([count == 1 ? loopback : harmless])
            }
        }
        try await TestServer.running({ _ in .answer(200) }) { server in
            let executor = try HTTPExecutor(.local("http://rebind.example:\(server.port)/"), lookup: lookup)
            for _ in 0..<3 { _ = try await executor.run(call()).result }
            #expect(answers.withLock { $0 } == 1)
            #expect(
                server.requests.map { $0.headers["host"] } == Array(repeating: ["rebind.example:\(server.port)"], count: 3))
        }
    }

    @Test func `a name that means this machine in IPv6 is refused`() async throws {
        let loopback = try address("::1")
        let spec = try HTTPSpec(url: .plain("http://ip6-localhost/"))
        let error = try await HTTPExecutor(spec, lookup: HostLookup { _ in .addresses([loopback]) }).run(call()).retried
        #expect(error.message.hasPrefix("ip6-localhost leads to nothing that may be called: ::1 is a loopback address."))
    }

    @Test func `a name that means several private addresses is refused with all of them`() async throws {
        let (loopback, documentation) = (try address("127.0.0.1"), try address("::1"))
        try await TestServer.running({ _ in .answer(200) }) { server in
            let spec = try HTTPSpec(url: .plain("http://mixed.example:\(server.port)/"))
            let lookup = HostLookup { _ in .addresses([loopback, documentation]) }
            let error = try await HTTPExecutor(spec, lookup: lookup).run(call()).retried
            #expect(
                error.message.hasPrefix(
                    "mixed.example leads to nothing that may be called: 127.0.0.1 is a loopback address, ::1 is a loopback"))
            #expect(server.connections == 0)
        }
    }

    @Test func `where one address refuses the next one is called, and is the first one from then on`() async throws {
        // Nothing listens at the second loopback address.
        let (dead, alive) = (try address("127.0.0.2"), try address("127.0.0.1"))
        let lookup = HostLookup { _ in .addresses([dead, alive]) }
        try await TestServer.running({ _ in .answer(200) }) { server in
            let executor = try HTTPExecutor(.local("http://two.example:\(server.port)/"), lookup: lookup)
            for _ in 0..<2 { _ = try await executor.run(call()).result }
            #expect(server.requests.count == 2)
        }
    }

    @Test func `a connection that leads elsewhere is closed before anything is sent`() async throws {
        let channel = NIOAsyncTestingChannel()
        try await channel.connect(to: SocketAddress(ipAddress: "10.0.0.1", port: 80))
        try await Line.check(channel, leadsTo: try address("10.0.0.1")).get()
        await #expect(throws: Line.Misled.self) {
            try await Line.check(channel, leadsTo: try address("10.0.0.2")).get()
        }
        #expect(!channel.isActive)
    }

    @Test func `jobs that wait for one name ask once`() async throws {
        let asked = Mutex(0)
        let release = Mutex(false)
        let loopback = try address("127.0.0.1")
        let lookup = HostLookup { _ in
            asked.withLock { $0 += 1 }
            while !release.withLock({ $0 }) { usleep(1_000) }
            return .addresses([loopback])
        }
        try await TestServer.running({ _ in .answer(200) }) { server in
            let executor = try HTTPExecutor(.local("http://one.example:\(server.port)/"), lookup: lookup)
            try await withThrowingTaskGroup { group in
                for _ in 0..<8 { group.addTask { _ = try await executor.run(call()).result } }
                try await eventually("one asks") { asked.withLock { $0 } == 1 }
                release.withLock { $0 = true }
                try await group.waitForAll()
            }
            #expect(asked.withLock { $0 } == 1 && server.requests.count == 8)
        }
    }
}
