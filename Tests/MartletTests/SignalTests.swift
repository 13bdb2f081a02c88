import Glibc
import Logging
import MartletCore
import MartletStore
import Synchronization
import Testing

@testable import Martlet

/// Signals to this very process; each test has one of its own, which is otherwise ignored.
struct SignalTests {
    private static let started = Mutex<Set<JobID>>([])
    private static let released = Atomic(false)

    /// Runs until the test lets it go, or it is cancelled.
    struct Patient: Job {
        static let kind = "patient"

        func run(_ context: JobContext) async throws {
            SignalTests.started.withLock { _ = $0.insert(context.id) }
            while !SignalTests.released.load(ordering: .relaxed) { try await Task.sleep(for: .milliseconds(1)) }
        }
    }

    struct Stubborn: Job {
        static let kind = "stubborn"

        func run(_ context: JobContext) async throws {
            // Ends only with its cancellation.
            while true {
                kill(getpid(), SIGUSR2)
                try await Task.sleep(for: .milliseconds(1))
            }
        }
    }

    @Test func `a signal lets the running job end and leaves the rest to others`() async throws {
        signal(SIGUSR1, SIG_IGN)
        try await withClient { client in
            let ids = try await client.enqueue(contentsOf: [Patient(), Patient(), Patient()])
            var configuration = Worker.Configuration()
            configuration.concurrency = 1
            let worker = try Worker(client, jobs: [Patient.self], configuration: configuration, logger: .silent)
            let run = Task { try await worker.run(stoppingOn: [.sigusr1]) }
            while Self.started.withLock({ $0.isEmpty }) { await Task.yield() }
            kill(getpid(), SIGUSR1)
            Self.released.store(true, ordering: .relaxed)
            try await run.value
            let states = try await states(ids, client)
            #expect(states.first == .completed)
            #expect(states.allSatisfy { $0 == .completed || $0 == .available }, "\(states)")
            #expect(try await client.store.workers().isEmpty, "it took its leave")
        }
    }

    @Test func `a second signal does not wait for the grace`() async throws {
        signal(SIGUSR2, SIG_IGN)
        try await withClient { client in
            let ids = try await client.enqueue(contentsOf: [Stubborn()])
            var configuration = Worker.Configuration()
            configuration.grace = Limits.grace.upperBound
            let worker = try Worker(client, jobs: [Stubborn.self], configuration: configuration, logger: .silent)
            try await worker.run(stoppingOn: [.sigusr2])
            #expect(try await states(ids, client) == [.available], "given back, uncharged")
        }
    }

    private func states(_ ids: [JobID], _ client: Client) async throws -> [JobState?] {
        var states: [JobState?] = []
        for id in ids { states.append(try await client.store.job(id)?.summary.state) }
        return states
    }
}
