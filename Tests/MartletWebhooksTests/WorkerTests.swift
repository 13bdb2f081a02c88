import Logging
import MartletCore
import MartletStore
import MartletTestSupport
import MartletWorker
import NIOCore
import NIOHTTP1
import Testing

@testable import MartletWebhooks

/// HTTP kinds in a whole worker, on both engines.
@Suite struct WorkerTests {
    private func handler(_ url: String, timeout: Duration? = Limits.defaultTimeout, retry: RetryPolicy = RetryPolicy())
        throws
        -> Handler
    {
        Handler(
            kind: "hook", http: try HTTPEndpoint(.local(url), environment: [:]), concurrency: 100, timeout: timeout,
            retry: retry)
    }

    private func worker(_ store: any JobStore, _ handler: Handler, drain: Bool = true) -> WorkerService {
        WorkerService(
            store: store, handlers: [handler],
            configuration: WorkerConfiguration(
                name: "test", concurrency: 100, poll: .milliseconds(20), grace: .seconds(30), drain: drain),
            logger: .silent)
    }

    @Test(arguments: Engine.allCases)
    func `a hundred jobs call a slow server side by side, and all are completed`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            try await TestServer.running({ .answer(200, $0.body, after: .milliseconds(150)) }) { server in
                let ids = try await fixture.enqueue("hook", count: 100, args: #"{"a":1}"#)
                try await worker(fixture.store, handler(server.url)).run()
                #expect(try await fixture.counts() == [.completed: 100])
                #expect(server.requests.count == 100)
                #expect(Set(server.requests.map { $0.headers["idempotency-key"] }).count == 100)
                let job = try #require(try await fixture.store.job(ids[99]))
                #expect(job.result?.string == #"{"a":1}"#)
            }
        }
    }

    @Test(arguments: Engine.allCases)
    func `a job that is tried again keeps its idempotency key`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let reply: @Sendable (TestServer.Request) -> TestServer.Reply = { _ in .answer(503, "later") }
            try await TestServer.running(reply) { server in
                let id = try await fixture.enqueue("hook")[0]
                let handler = try handler(server.url, retry: .delays([.zero, .zero]))
                try await worker(fixture.store, handler).run()
                #expect(try await fixture.state(id) == .failed)
                #expect(server.requests.count == 3)
                #expect(Set(server.requests.map { $0.headers["idempotency-key"] }).count == 1)
            }
        }
    }

    @Test func `a server that is too slow ends in a timeout, and the connection with it`() async throws {
        try await withStore(.sqlite) { fixture in
            try await TestServer.running({ _ in .silence }) { server in
                let id = try await fixture.enqueue("hook")[0]
                let handler = try handler(server.url, timeout: .milliseconds(200), retry: .delays([]))
                try await worker(fixture.store, handler).run()
                let job = try #require(try await fixture.store.job(id))
                #expect(job.summary.state == .failed && job.errors.map(\.error.type) == ["timeout"])
                try await eventually("the connection is closed") { server.open == 0 }
            }
        }
    }

    @Test func `a call that a person cancels ends at once`() async throws {
        try await withStore(.sqlite) { fixture in
            try await TestServer.running({ _ in .silence }) { server in
                let id = try await fixture.enqueue("hook")[0]
                let worker = worker(fixture.store, try handler(server.url))
                let running = Task { try await worker.run() }
                try await eventually("the request arrived") { server.requests.count == 1 }
                _ = try await fixture.store.cancel(.ids([id]))
                try await running.value
                #expect(try await fixture.state(id) == .cancelled)
                try await eventually("the connection is closed") { server.open == 0 }
            }
        }
    }
}
