import Martlet
import MartletTesting
import Synchronization
import Testing

/// What jobs of these tests have done, by the name in their args: they know nothing else of the test.
final class Deeds: Sendable {
    static let all = Deeds()
    private let counts = Mutex<[String: Int]>([:])

    func add(_ name: String) { counts.withLock { $0[name, default: 0] += 1 } }
    subscript(_ name: String) -> Int { counts.withLock { $0[name, default: 0] } }
}

struct TestQueueTests {
    struct Greet: Job, Equatable {
        static let kind = "greet"
        static let retry = RetryPolicy.fixed(.seconds(60), maxAttempts: 3)
        let name: String
        var fails = 0

        func run(_ context: JobContext) async throws {
            Deeds.all.add(name)
            if context.attempt <= fails { throw JobFailure("attempt \(context.attempt)") }
        }
    }

    @Test func `what was enqueued can be looked at`() async throws {
        try await withTestQueue(jobs: [Greet.self]) { queue in
            try await queue.client.enqueue(Greet(name: "looked"), in: .seconds(60))
            try await queue.client.enqueue(Greet(name: "at"))
            #expect(try await queue.enqueued(Greet.self) == [Greet(name: "looked"), Greet(name: "at")])
            #expect(try await queue.jobs(Greet.self).map(\.state) == [.scheduled, .available])
        }
    }

    @Test func `a drain runs what is due and nothing else`() async throws {
        try await withTestQueue(jobs: [Greet.self]) { queue in
            try await queue.client.enqueue(Greet(name: "later"), in: .seconds(60))
            try await queue.client.enqueue(Greet(name: "now"))
            let runs = try await queue.drain()
            #expect(runs.map(\.outcome) == [.completed(result: nil)])
            #expect(try await queue.jobs(Greet.self).map(\.state) == [.scheduled, .completed])
            #expect(Deeds.all["later"] == 0)
        }
    }

    @Test func `time passes when the test says so`() async throws {
        try await withTestQueue(jobs: [Greet.self]) { queue in
            let id = try await queue.client.enqueue(Greet(name: "flaky", fails: 1))
            try await queue.drain()
            #expect(try await queue.client.job(id)?.state == .retryable)
            queue.advance(by: .seconds(59))
            #expect(try await queue.drain().isEmpty)
            queue.advance(by: .seconds(1))
            #expect(try await queue.drain().map(\.attempt) == [2])
            let job = try await queue.client.job(id)
            #expect(job?.state == .completed)
            #expect(job?.errors.map(\.error.message) == ["attempt 1"])
        }
    }

    @Test func `a drain can take the time it needs`() async throws {
        try await withTestQueue(jobs: [Greet.self]) { queue in
            let start = queue.clock.now()
            let id = try await queue.client.enqueue(Greet(name: "doomed", fails: 9), in: .seconds(3_600))
            let runs = try await queue.drain(advancing: true)
            #expect(runs.map(\.attempt) == [1, 2, 3])
            #expect(try await queue.client.job(id)?.reason == .exhausted)
            #expect(queue.clock.now() - start >= .seconds(3_720))
        }
    }

    struct Endless: Job {
        static let kind = "endless"
        func run(_ context: JobContext) async throws { throw Snooze(for: .zero) }
    }

    @Test func `a drain without end is an error`() async throws {
        try await withTestQueue(jobs: [Endless.self]) { queue in
            try await queue.client.enqueue(Endless())
            await #expect(throws: TestQueue.Endless.self) { try await queue.drain(limit: 5) }
        }
    }

    // MARK: Faults

    @Test(arguments: Fault.allCases)
    func `after a fault the job runs once more, and counts once`(fault: Fault) async throws {
        try await withTestQueue(jobs: [Greet.self]) { queue in
            let name = "after \(fault)"
            queue.inject(fault, into: Greet.self)
            let id = try await queue.client.enqueue(Greet(name: name))
            try await queue.client.enqueue(Greet(name: "bystander"))
            let runs = try await queue.drain().filter { $0.id == id }
            #expect(runs.map(\.counts) == [false, true])
            #expect(runs.map(\.attempt) == [1, 1])
            #expect(Deeds.all[name] == 2)
            #expect(try await queue.jobs(Greet.self).map(\.state) == [.completed, .completed])
        }
    }

    /// Each of the two says when it is there, and waits for the other.
    struct Meeting: Job {
        static let kind = "meeting"
        let name: String

        func run(_ context: JobContext) async throws {
            Deeds.all.add(name)
            while Deeds.all[name] < 2 {
                try context.checkCancellation()
                await Task.yield()
            }
            Deeds.all.add("\(name) \(context.lease)")
        }
    }

    @Test func `two deliveries run at the same time, under two leases`() async throws {
        try await withTestQueue(jobs: [Meeting.self]) { queue in
            queue.inject(.deliverTwice, into: Meeting.self)
            try await queue.client.enqueue(Meeting(name: "meeting"))
            let runs = try await queue.drain()
            #expect(runs.map(\.outcome) == [.completed(result: nil), .completed(result: nil)])
            #expect(runs.map(\.counts) == [false, true])
        }
    }

    struct Patient: Job {
        static let kind = "patient"
        let name: String

        func run(_ context: JobContext) async throws -> String {
            Deeds.all.add(name)
            if Deeds.all[name] == 1 {
                try await Self.queue.withLock { $0 }?.expireLeases()
                try context.checkCancellation()
                Deeds.all.add("\(name) went on")
            }
            return "done"
        }

        static let queue = Mutex<TestQueue?>(nil)
    }

    @Test func `a lease can end in the middle of a run`() async throws {
        try await withTestQueue(jobs: [Patient.self]) { queue in
            Patient.queue.withLock { $0 = queue }
            defer { Patient.queue.withLock { $0 = nil } }
            let id = try await queue.client.enqueue(Patient(name: "patient"))
            let runs = try await queue.drain()
            #expect(runs.map(\.counts) == [false, true])
            #expect(runs.first?.outcome == .interrupted)
            #expect(Deeds.all["patient went on"] == 0)
            #expect(try await queue.client.result(of: id, as: Patient.self) == "done")
        }
    }

    @Test func `middleware is around the runs`() async throws {
        let around = AroundRuns { job, context, next in
            Deeds.all.add("around \(type(of: job).kind)")
            try await next()
        }
        try await withTestQueue(jobs: [Greet.self], middleware: [around]) { queue in
            let before = Deeds.all["around greet"]
            try await queue.client.enqueue(Greet(name: "wrapped"))
            try await queue.drain()
            #expect(Deeds.all["around greet"] == before + 1)
        }
    }
}
