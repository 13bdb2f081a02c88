import Logging
import MartletCore
import MartletStore
import MartletTestSupport
import Synchronization
import Testing

@testable import Martlet

/// What a run says beside how it ended: jobs that follow it, and how far it is.
struct FollowUpTests {
    struct Parent: Job {
        static let kind = "parent"
        static let retry = RetryPolicy(maxAttempts: 2, backoff: .fixed(.zero), jitter: 0)
        var fails = 0
        var snoozes = false
        var discards = false

        func run(_ context: JobContext) async throws {
            try context.enqueue(Child(of: context.id.rawValue, attempt: context.attempt))
            try context.enqueue(
                Child(of: context.id.rawValue, attempt: context.attempt), queue: "other", priority: 1, in: .seconds(3_600))
            if context.attempt <= fails { throw JobFailure("attempt \(context.attempt)") }
            if snoozes { throw Snooze(for: .seconds(3_600)) }
            if discards { throw Discard("enough") }
        }
    }

    struct Child: Job, Equatable {
        static let kind = "child"
        let of: Int64
        let attempt: Int

        func run(_ context: JobContext) async throws {}
    }

    struct Late: Job {
        static let kind = "late"
        static let kept = Mutex<JobContext?>(nil)

        func run(_ context: JobContext) async throws { Self.kept.withLock { $0 = context } }
    }

    struct Greedy: Job {
        static let kind = "greedy"

        func run(_ context: JobContext) async throws {
            let job = try NewJob(kind: "child")
            try context.enqueue(Array(repeating: job, count: Limits.enqueueBatch))
            try context.enqueue([job])
        }
    }

    struct Slow: Job {
        static let kind = "slow"
        let seen: String

        func run(_ context: JobContext) async throws {
            // The last of many counts.
            for step in 0...100 { context.progress(Double(step) / 200, "step \(step)") }
            while !Self.seen.withLock({ $0.contains(seen) }) {
                try context.checkCancellation()
                await Task.yield()
            }
        }

        static let seen = Mutex<Set<String>>([])
    }

    private func children(_ store: any JobStore) async throws -> [JobSummary] {
        try await store.list(JobQuery(filter: JobFilter(kind: "child"))).jobs.sorted { $0.id < $1.id }
    }

    @Test(arguments: Engine.allCases)
    func `follow-ups are there when their run is completed, as they were asked for`(engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let client = Client(store: fixture.store)
            let id = try await client.enqueue(Parent(fails: 1))
            try await Worker(client, jobs: [Parent.self], configuration: .draining, logger: .silent).run()
            #expect(try await client.job(id)?.state == .completed)
            let children = try await children(fixture.store)
            // Those of the first attempt are not there.
            #expect(children.map { $0.args.string.contains("\"attempt\":2") } == [true, true])
            #expect(Set(children.map(\.state)) == [.available, .scheduled])
            #expect(Set(children.map(\.queue)) == ["default", "other"])
            #expect(Set(children.map(\.priority.rawValue)) == [5, 1])
        }
    }

    @Test(arguments: Engine.allCases)
    func `a run that is not completed has no follow-ups`(engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let client = Client(store: fixture.store)
            try await client.enqueue(contentsOf: [Parent(fails: 9), Parent(snoozes: true), Parent(discards: true)])
            try await Worker(client, jobs: [Parent.self], configuration: .draining, logger: .silent).run()
            #expect(try await children(fixture.store).isEmpty)
        }
    }

    @Test(arguments: Engine.allCases)
    func `a worker that drains also runs what follows`(engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let client = Client(store: fixture.store)
            try await client.enqueue(Parent())
            try await Worker(client, jobs: [Parent.self, Child.self], configuration: .draining, logger: .silent).run()
            #expect(Set(try await children(fixture.store).map(\.state)) == [.completed, .scheduled])
        }
    }

    @Test func `follow-ups that come too late or are too many are refused`() async throws {
        try await withClient { client in
            let id = try await client.enqueue(Greedy())
            try await client.enqueue(Late())
            let jobs: [any Job.Type] = [Greedy.self, Late.self]
            try await Worker(client, jobs: jobs, configuration: .draining, logger: .silent).run()
            let greedy = try #require(try await client.job(id))
            #expect(greedy.state == .retryable)
            #expect(greedy.errors.first?.error.message.contains("follow-ups") == true)
            let context = try #require(Late.kept.withLock { $0 })
            await expectInvalid("follow-ups") { try context.enqueue(Child(of: 1, attempt: 1)) }
        }
    }

    @Test(arguments: Engine.allCases)
    func `progress can be seen while the job runs, and is gone afterwards`(engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let client = Client(store: fixture.store)
            let id = try await client.enqueue(Slow(seen: engine.rawValue))
            let worker = try Worker(client, jobs: [Slow.self], configuration: .draining, logger: .silent)
            let work = Task { try await worker.run() }
            var job = try await client.job(id)
            while job?.progressNote != "step 100", job?.state.isFinal == false {
                try await Task.sleep(for: .milliseconds(5))
                job = try await client.job(id)
            }
            #expect(job?.progress == 0.5)
            Slow.seen.withLock { _ = $0.insert(engine.rawValue) }
            try await work.value
            let ended = try #require(try await client.job(id))
            #expect(ended.state == .completed && ended.progress == nil && ended.progressNote == nil)
        }
    }
}
