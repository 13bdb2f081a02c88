import Logging
import MartletCore
import MartletStore
import MartletTestSupport
import Testing

@testable import Martlet

/// How a run that ends in its own way is kept.
struct EndingTests {
    struct Odd: Job {
        enum Way: String, Codable, CaseIterable {
            case snoozesForEver, retriesNever, retriesBackwards
        }

        static let kind = "odd"
        let way: Way

        func run(_ context: JobContext) async throws {
            guard context.attempt == 1 else { return }
            switch way {
            case .snoozesForEver: throw Snooze(for: .seconds(Int64.max / 2))
            case .retriesNever: throw Retry(after: .seconds(Int64.max) * 9, "boom")
            case .retriesBackwards: throw Retry(after: .seconds(Int64.min), "boom")
            }
        }
    }

    @Test func `a delay without measure costs its own job, not the worker`() async throws {
        try await withClient { client in
            let ids = try await client.enqueue(contentsOf: Odd.Way.allCases.map { Odd(way: $0) })
            let worker = try Worker(client, jobs: [Odd.self], configuration: .draining, logger: .silent)
            try await worker.run()
            var states: [JobState?] = []
            for id in ids { states.append(try await client.store.job(id)?.summary.state) }
            #expect(states == [.scheduled, .retryable, .completed])
        }
    }
}

extension Worker.Configuration {
    static var draining: Worker.Configuration {
        var configuration = Worker.Configuration()
        configuration.drain = true
        configuration.poll = .milliseconds(20)
        return configuration
    }
}
