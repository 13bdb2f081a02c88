import Logging
import MartletCore
import MartletStore
import MartletTestSupport
import Synchronization
import Testing

@testable import Martlet

struct MiddlewareTests {
    /// Lines in the order in which they were said.
    final class Transcript: Sendable {
        private let all = Mutex<[String]>([])
        var lines: [String] { all.withLock { $0 } }
        func say(_ line: String) { all.withLock { $0.append(line) } }

        @TaskLocal static var current: Transcript?
    }

    struct Named: Middleware {
        let name: String
        let transcript: Transcript?

        func run<J: Job>(
            _ job: J, context: JobContext, next: @escaping @Sendable () async throws -> J.Output
        ) async throws -> J.Output {
            transcript?.say("\(name) in")
            do {
                let output = try await Transcript.$current.withValue(transcript) { try await next() }
                transcript?.say("\(name) out")
                return output
            } catch {
                transcript?.say("\(name) saw \(error)")
                throw error
            }
        }
    }

    /// Of the type: says so to whoever the worker's has named.
    struct OfType: Middleware {
        func run<J: Job>(
            _ job: J, context: JobContext, next: @escaping @Sendable () async throws -> J.Output
        ) async throws -> J.Output {
            Transcript.current?.say("\(J.kind) \(context.attempt)")
            return try await next()
        }
    }

    struct NotFound: Error {}

    struct Fetch: Job {
        static let kind = "fetch"
        static let middleware: [any Middleware] = [OfType()]
        let fails: Bool

        func run(_ context: JobContext) async throws -> String {
            Transcript.current?.say("run")
            if fails { throw NotFound() }
            return "page"
        }
    }

    private func work(_ jobs: [Fetch], _ middleware: [any Middleware]) async throws -> [JobStatus] {
        try await withClient { client in
            let ids = try await client.enqueue(contentsOf: jobs)
            var configuration = Worker.Configuration.draining
            configuration.middleware = middleware
            try await Worker(client, jobs: [Fetch.self], configuration: configuration, logger: .silent).run()
            var states: [JobStatus] = []
            for id in ids { states.append(try #require(try await client.job(id))) }
            return states
        }
    }

    @Test func `the worker's come first, then the type's, then the run`() async throws {
        let transcript = Transcript()
        let jobs = try await work(
            [Fetch(fails: false)],
            [Named(name: "outer", transcript: transcript), Named(name: "inner", transcript: transcript)])
        #expect(jobs[0].result?.string == #""page""#)
        #expect(transcript.lines == ["outer in", "inner in", "fetch 1", "run", "inner out", "outer out"])
    }

    @Test func `a middleware sees the error and may make another of it`() async throws {
        let transcript = Transcript()
        let translate = AroundRuns { _, _, next in
            do { try await next() } catch is NotFound { throw Discard("gone") }
        }
        let jobs = try await work([Fetch(fails: true)], [translate, Named(name: "inner", transcript: transcript)])
        #expect(jobs[0].state == .failed)
        #expect(jobs[0].reason == .discarded)
        #expect(jobs[0].errors.map(\.error.message) == ["gone"])
        #expect(transcript.lines == ["inner in", "fetch 1", "run", "inner saw NotFound()"])
    }

    @Test func `a middleware may keep a job from running`() async throws {
        let jobs = try await work(
            [Fetch(fails: false)], [AroundRuns { _, _, _ in throw Snooze(for: .seconds(3_600)) }])
        #expect(jobs[0].state == .scheduled)
        #expect(jobs[0].attempt == 0)
    }

    @Test func `one that forgets what it is around fails the attempt`() async throws {
        let jobs = try await work([Fetch(fails: false)], [AroundRuns { _, _, _ in }])
        #expect(jobs[0].state == .retryable)
        #expect(jobs[0].errors.first?.error.message == "a middleware returned without having called what it is around")
    }

    // MARK: Observers

    final class Watcher: WorkerObserver {
        let transcript = Transcript()
        func workerStarted(name: String, kinds: [String]) { transcript.say("started \(kinds)") }
        func workerStopping(hurried: Bool) { transcript.say("stopping") }
        func workerStopped() { transcript.say("stopped") }
        func jobStarted(_ job: ObservedJob) { transcript.say("job \(job.kind) \(job.attempt)") }
        func jobEnded(_ job: ObservedJob, _ end: JobEnd) {
            switch end.fate {
            case .completed: transcript.say("completed")
            case .retrying(let error, _): transcript.say("retrying \(error.type)")
            case .snoozed, .failed, .cancelled, .givenBack: transcript.say("\(end.fate)")
            }
        }
    }

    @Test func `observers are told of the worker and of every run`() async throws {
        try await withClient { client in
            let watcher = Watcher()
            var configuration = Worker.Configuration.draining
            configuration.observers = [watcher]
            configuration.concurrency = 1
            try await client.enqueue(contentsOf: [Fetch(fails: false), Fetch(fails: true)])
            try await Worker(client, jobs: [Fetch.self], configuration: configuration, logger: .silent).run()
            #expect(
                watcher.transcript.lines == [
                    #"started ["fetch"]"#, "job fetch 1", "completed", "job fetch 1", "retrying NotFound", "stopping",
                    "stopped",
                ])
        }
    }
}
