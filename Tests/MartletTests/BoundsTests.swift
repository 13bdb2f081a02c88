import Foundation
import Logging
import MartletCore
import MartletStore
import MartletTestSupport
import Testing

@testable import Martlet

/// Whatever durations and times a program hands in, it gets an error that names the field, and goes on living.
struct BoundsTests {
    struct Idle: Job {
        static let kind = "idle"
        func run(_ context: JobContext) async throws {}
    }

    struct Greedy: Job {
        static let kind = "greedy"
        static let concurrency: Int? = 0
        func run(_ context: JobContext) async throws {}
    }

    struct Endless: Job {
        static let kind = "endless"
        static let timeout: Duration? = .seconds(Int64.max)
        func run(_ context: JobContext) async throws {}
    }

    static let extremes: [Duration] = [
        .seconds(Int64.min) * 9, .seconds(Int64.min), .seconds(-1), .seconds(Int64.max / 2), .seconds(Int64.max),
        .seconds(Int64.max) * 9,
    ]

    @Test(arguments: extremes)
    func `an enqueue refuses what cannot be kept`(extreme: Duration) async throws {
        try await withClient { client in
            await expectInvalid("in") { try await client.enqueue(Idle(), in: extreme) }
            await expectInvalid("timeout") { try await client.enqueue(Idle(), timeout: extreme) }
            for time in [Timestamp(microseconds: .min), Timestamp(microseconds: .max)] {
                await expectInvalid("at") { try await client.enqueue(Idle(), at: time) }
                await expectInvalid("at") { try await client.enqueue(Idle(), at: time + extreme) }
            }
        }
    }

    @Test func `the ends of what can be kept are kept`() async throws {
        try await withClient { client in
            let id = try await client.enqueue(Idle(), in: Limits.scheduleAhead, timeout: Limits.longestDuration)
            let job = try #require(try await client.store.job(id))
            #expect(job.timeout == Limits.longestDuration)
            for time in [Limits.scheduleAt.lowerBound, Limits.scheduleAt.upperBound] {
                let id = try await client.enqueue(Idle(), at: time)
                #expect(try await client.store.job(id) != nil)
            }
        }
    }

    @Test(arguments: extremes)
    func `a worker refuses settings that make no sense`(extreme: Duration) async throws {
        try await withClient { client in
            let settings: [(String, WritableKeyPath<Worker.Configuration, Duration>)] = [
                ("lease", \.lease), ("poll", \.poll), ("grace", \.grace), ("keepCompleted", \.keepCompleted),
                ("keepFailed", \.keepFailed),
            ]
            for (field, path) in settings {
                var configuration = Worker.Configuration()
                configuration[keyPath: path] = extreme
                await expectInvalid(field) { try Worker(client, jobs: [Idle.self], configuration: configuration) }
            }
        }
    }

    @Test func `a worker refuses job types that make no sense`() async throws {
        try await withClient { client in
            await expectInvalid("concurrency") { try Worker(client, jobs: [Greedy.self]) }
            await expectInvalid("timeout") { try Worker(client, jobs: [Endless.self]) }
            var configuration = Worker.Configuration()
            configuration.name = "no name"
            await expectInvalid("name") { try Worker(client, jobs: [Idle.self], configuration: configuration) }
            configuration.name = nil
            configuration.concurrency = .max
            await expectInvalid("concurrency") { try Worker(client, jobs: [Idle.self], configuration: configuration) }
            for threads in [Int.min, -1, 0, 4_097, .max] {
                var configuration = Worker.Configuration()
                configuration.blockingThreads = threads
                await expectInvalid("blockingThreads") {
                    try Worker(client, jobs: [Idle.self], configuration: configuration)
                }
            }
        }
    }
}
