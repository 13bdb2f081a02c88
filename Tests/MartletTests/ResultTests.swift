import Logging
import MartletCore
import MartletStore
import MartletTestSupport
import Testing

@testable import Martlet

struct ResultTests {
    struct Report: Codable, Sendable, Equatable {
        let words: Int
        let title: String?
    }

    struct Count: Job {
        static let kind = "count"
        static let retry = RetryPolicy.delays([.zero])
        let text: String

        func run(_ context: JobContext) async throws -> Report {
            if text.isEmpty { throw JobFailure("nothing to count") }
            return Report(words: text.split(separator: " ").count, title: nil)
        }
    }

    struct Pad: Job {
        static let kind = "pad"
        let bytes: Int

        func run(_ context: JobContext) async throws -> String { String(repeating: "x", count: bytes) }
    }

    struct Divide: Job {
        static let kind = "divide"
        func run(_ context: JobContext) async throws -> Double { 1 / 0.0 }
    }

    struct Unkept: Job {
        static let kind = "unkept"
        func run(_ context: JobContext) async throws -> String { "a\0b" }
    }

    struct Silent: Job {
        static let kind = "silent"
        func run(_ context: JobContext) async throws {}
    }

    private func drain(_ client: Client) async throws {
        let jobs: [any Job.Type] = [Count.self, Pad.self, Divide.self, Unkept.self, Silent.self]
        try await Worker(client, jobs: jobs, configuration: .draining, logger: .silent).run()
    }

    @Test(arguments: Engine.allCases)
    func `a result comes back as the type it was`(engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let client = Client(store: fixture.store)
            let id = try await client.enqueue(Count(text: "one two three"))
            #expect(try await client.result(of: id, as: Count.self) == nil)
            try await drain(client)
            #expect(try await client.result(of: id, as: Count.self) == Report(words: 3, title: nil))
        }
    }

    @Test(arguments: Engine.allCases)
    func `one can wait for a job that another process runs`(engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let client = Client(store: fixture.store)
            let other = Client(store: try await fixture.another())
            let id = try await client.enqueue(Count(text: "one two"))
            let worker = try Worker(other, jobs: [Count.self], logger: .silent)
            let work = Task { try await worker.run() }
            #expect(try await client.wait(for: id, as: Count.self, atMost: .seconds(120)).words == 2)
            #expect(try await client.wait(for: id).state == .completed)
            work.cancel()
            try await work.value
            await other.close()
        }
    }

    @Test(arguments: Engine.allCases)
    func `a job that failed says why to those who wait`(engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let client = Client(store: fixture.store)
            let id = try await client.enqueue(Count(text: ""))
            try await drain(client)
            let problem = await #expect(throws: JobProblem.self) { try await client.wait(for: id, as: Count.self) }
            #expect("\(problem!)" == "job \(id) of kind count is failed: JobFailure: nothing to count")
            let job = try #require(try await client.job(id))
            #expect(job.reason == .exhausted)
            #expect(job.errors.map(\.attempt) == [1, 2])
            #expect(job.attempt == 2 && job.maxAttempts == 2)
        }
    }

    @Test func `waiting has an end, and a job that is not there is said to be`() async throws {
        try await withClient { client in
            let id = try await client.enqueue(Silent())
            let waiting = await #expect(throws: JobProblem.self) {
                try await client.wait(for: id, atMost: .milliseconds(30))
            }
            #expect("\(waiting!)" == "job \(id) of kind silent is still available after 30ms")
            let missing = await #expect(throws: JobProblem.self) { try await client.wait(for: JobID(rawValue: 99)) }
            #expect("\(missing!)".hasPrefix("job 99 is not there"))
            #expect(try await client.job(JobID(rawValue: 99)) == nil)
            let wrong = await #expect(throws: JobProblem.self) { try await client.result(of: id, as: Count.self) }
            #expect("\(wrong!)" == "job \(id) is of kind silent, not count")
        }
    }

    @Test func `waiting ends with the task that waits`() async throws {
        try await withClient { client in
            let id = try await client.enqueue(Silent())
            let waiter = Task { try await client.wait(for: id, atMost: .seconds(3_600)) }
            waiter.cancel()
            await #expect(throws: CancellationError.self) { try await waiter.value }
        }
    }

    @Test func `a result that cannot be kept ends its job and says so`() async throws {
        try await withClient { client in
            let id = try await client.enqueue(Unkept())
            try await drain(client)
            let job = try #require(try await client.job(id))
            #expect(job.state == .failed && job.reason == .discarded)
            #expect(
                job.errors.first?.error.message.hasPrefix("the run ended well, but its result contains a NUL character")
                    == true)
        }
    }

    @Test func `a result that is too large ends its job and says so`() async throws {
        try await withClient { client in
            let fits = try await client.enqueue(Pad(bytes: Limits.resultBytes - 2))
            let ids = [try await client.enqueue(Pad(bytes: Limits.resultBytes - 1)), try await client.enqueue(Divide())]
            try await drain(client)
            #expect(try await client.result(of: fits, as: Pad.self)?.count == Limits.resultBytes - 2)
            var messages: [String] = []
            for id in ids {
                let job = try #require(try await client.job(id))
                #expect(job.state == .failed && job.reason == .discarded && job.errors.first?.error.type == "result")
                messages += job.errors.map(\.error.message)
            }
            #expect(
                messages.first?.hasPrefix("the run ended well, but its result has 65537 bytes of JSON; at most 65536")
                    == true)
            #expect(messages.last?.hasPrefix("the run ended well, but its Double is no JSON: ") == true)
        }
    }

    @Test func `a run that returns nothing leaves no result`() async throws {
        try await withClient { client in
            let id = try await client.enqueue(Silent())
            try await drain(client)
            let job = try #require(try await client.job(id))
            #expect(job.state == .completed && job.result == nil)
        }
    }
}
