import Martlet
import MartletTesting
import Testing

struct TestRunTests {
    struct Add: Job {
        static let kind = "add"
        static let timeout: Duration? = .seconds(60)
        let a: Int
        let b: Int

        func run(_ context: JobContext) async throws -> Int {
            if b == 0 { throw JobFailure("nothing to add at attempt \(context.attempt)") }
            return a + b
        }
    }

    struct Curious: Job {
        static let kind = "curious"

        func run(_ context: JobContext) async throws -> [String] {
            ["\(context.id)", context.queue, "\(context.attempt)", "\(context.maxAttempts)", "\(context.lease)"]
        }
    }

    struct Timed: Job {
        static let kind = "timed"

        func run(_ context: JobContext) async throws -> Bool {
            guard let left = context.timeLeft, let deadline = context.deadline else { return false }
            return left > .zero && left <= .seconds(60) && deadline > .now && !context.isCancelled
        }
    }

    /// What JSON does not carry is gone, as it is in a queue.
    struct Forgetful: Job {
        static let kind = "forgetful"
        var kept = "a"
        var lost = "b"

        enum CodingKeys: CodingKey { case kept }

        func run(_ context: JobContext) async throws -> String { kept + lost }
    }

    @Test func `a run gives its output and its result`() async throws {
        let run = try await TestRun.perform(Add(a: 2, b: 3))
        #expect(run.output == 5)
        #expect(run.outcome == .completed(result: try JSONText(validating: "5")))
        #expect(run.error == nil)
    }

    @Test func `a run that throws gives the error as it would be kept`() async throws {
        let run = try await TestRun.perform(Add(a: 2, b: 0), attempt: 7)
        #expect(run.output == nil)
        #expect(run.error?.message == "nothing to add at attempt 7")
        #expect(run.error?.detail?.hasPrefix("at MartletTestingTests/TestRunTests.swift:") == true)
    }

    @Test func `the context is what the test says`() async throws {
        let run = try await TestRun.perform(
            Curious(), id: JobID(rawValue: 4), attempt: 2, maxAttempts: 3, queue: "mail", lease: LeaseID(rawValue: 9))
        #expect(run.output == ["4", "mail", "2", "3", "9"])
    }

    @Test func `the context counts the time`() async throws {
        #expect(try await TestRun.perform(Timed(), timeout: .seconds(60)).output == true)
        #expect(try await TestRun.perform(Timed(), timeout: nil).output == false)
    }

    @Test func `the job goes through JSON`() async throws {
        #expect(try await TestRun.perform(Forgetful(kept: "x", lost: "y")).output == "xb")
    }
}

struct TestRunSurroundingsTests {
    struct Split: Job {
        static let kind = "split"
        let parts: Int

        func run(_ context: JobContext) async throws {
            for part in 0..<parts {
                try context.enqueue(Part(number: part))
                context.progress(Double(part) / Double(parts), "part \(part)")
            }
            if parts == 0 { throw JobFailure("nothing to split") }
        }
    }

    struct Part: Job, Equatable {
        static let kind = "part"
        let number: Int
        func run(_ context: JobContext) async throws {}
    }

    @Test func `a run shows what would follow and what it said`() async throws {
        let run = try await TestRun.perform(Split(parts: 2))
        #expect(try run.followUps(Part.self) == [Part(number: 0), Part(number: 1)])
        #expect(run.progress.map(\.note) == ["part 0", "part 1"])
        #expect(run.progress.map(\.fraction) == [0, 0.5])
    }

    @Test func `a queue runs what follows`() async throws {
        try await withTestQueue(jobs: [Split.self, Part.self]) { queue in
            try await queue.client.enqueue(contentsOf: [Split(parts: 2), Split(parts: 0)])
            let runs = try await queue.drain()
            #expect(runs.map(\.kind) == ["split", "split", "part", "part"])
        }
    }

    @Test(arguments: Fault.allCases)
    func `after a fault jobs follow once`(fault: Fault) async throws {
        try await withTestQueue(jobs: [Split.self, Part.self]) { queue in
            queue.inject(fault, into: Split.self)
            try await queue.client.enqueue(Split(parts: 1))
            try await queue.drain()
            #expect(try await queue.jobs(Part.self).count == 1)
        }
    }
}
