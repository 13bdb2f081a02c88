import Foundation
import MartletCore
import MartletStore
import MartletTestSupport
import MartletWorker
import Testing

@testable import Martlet

/// What a worker says of itself in the database, where everybody can read it.
struct WorkerReportTests {
    struct Adapting: Job {
        static let kind = "adapting"
        static let adaptsConcurrency = true
        func run(_ context: JobContext) async throws {}
    }

    struct Blocking: Job {
        static let kind = "blocking"
        static let executor = Executor.blocking
        func run(_ context: JobContext) async throws {}
    }

    /// Blocks the thread it is on until it is told to end.
    struct Rude: Job {
        static let kind = "rude"
        static let onBlock = OnBlock.move
        let path: String

        func run(_ context: JobContext) async throws {
            while FileManager.default.fileExists(atPath: path) { usleep(1_000) }
        }
    }

    private func withWorker(
        _ fixture: StoreFixture, _ jobs: [any Job.Type], webhooks: [Webhook] = [],
        _ configure: (inout Worker.Configuration) -> Void = { _ in },
        _ body: () async throws -> Void
    ) async throws {
        var configuration = Worker.Configuration()
        configure(&configuration)
        let worker = try Worker(
            Client(store: fixture.store), jobs: jobs, webhooks: webhooks, configuration: configuration, logger: .silent)
        let task = Task { try await worker.run() }
        do { try await body() } catch {
            task.cancel()
            throw error
        }
        task.cancel()
        try await task.value
    }

    /// The report of the one worker that is alive, once it says what is waited for.
    private func report(
        _ fixture: StoreFixture, _ what: Comment, where matches: (WorkerReport) -> Bool
    ) async throws -> WorkerReport {
        let deadline = ContinuousClock.now + .seconds(60)
        while true {
            let texts = try await fixture.store.workers().filter(\.alive).compactMap(\.report)
            if let report = texts.compactMap(WorkerReport.init).first(where: matches) { return report }
            try #require(ContinuousClock.now < deadline, what)
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    @Test(arguments: Engine.allCases)
    func `a worker says how many of each kind it runs, and what it takes`(engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let hook = Webhook(kind: "hook", url: "https://example.com", concurrency: 1, adaptsConcurrency: true)
            try await withWorker(fixture, [Adapting.self, Blocking.self], webhooks: [hook]) {
                $0.concurrency = 50
                $0.blockingThreads = 3
            } _: {
                let report = try await report(fixture, "it reports") { !$0.kinds.isEmpty }
                #expect(report.kinds["adapting"]?.reason == "one per processor to begin with")
                #expect(report.kinds["adapting"]?.found == nil)
                #expect(report.kinds["hook"] == .init(concurrency: 1, reason: "one per processor to begin with"))
                #expect(report.kinds["blocking"]?.concurrency == 3)
                #expect(report.kinds["blocking"]?.reason == "one per thread for handlers that block")
                let memory = try #require(report.memoryBytes)
                #expect(memory > 1 << 20 && report.highestMemoryBytes ?? 0 >= memory)
                #expect(report.lagMs != nil && report.highestLagMs != nil)
            }
        }
    }

    @Test(arguments: Engine.allCases)
    func `what a worker had found is where the next one begins`(engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let before = WorkerReport(kinds: ["adapting": .init(concurrency: 7, reason: "it was good", found: 7)])
            let old = try await fixture.store.register(
                WorkerRegistration(
                    name: "old", host: WorkerConfiguration.host, pid: 1, version: "test", kinds: ["adapting"], queues: nil,
                    concurrency: 50, lease: .seconds(30), report: before.json))
            try await fixture.store.deregister(old)
            for _ in 1...2 {
                try await withWorker(fixture, [Adapting.self]) {
                    $0.concurrency = 50
                } _: {
                    let report = try await report(fixture, "it reports") { !$0.kinds.isEmpty }
                    #expect(
                        report.kinds["adapting"]
                            == .init(concurrency: 7, reason: "found before the restart", found: 7))
                }
            }
        }
    }

    @Test(arguments: Engine.allCases)
    func `a worker with a name finds its own again, whoever else is on its host`(engine: Engine) async throws {
        try await withStore(engine) { fixture in
            for (name, kind) in [("images", "adapting"), ("mail", "other")] {
                let report = WorkerReport(kinds: [kind: .init(concurrency: 7, reason: "it was good", found: 7)])
                let id = try await fixture.store.register(
                    WorkerRegistration(
                        name: name, host: WorkerConfiguration.host, pid: 1, version: "test", kinds: [kind], queues: nil,
                        concurrency: 50, lease: .seconds(30), report: report.json))
                try await fixture.store.deregister(id)
            }
            try await withWorker(fixture, [Adapting.self]) {
                $0.name = "images"
            } _: {
                let report = try await report(fixture, "it reports") { !$0.kinds.isEmpty }
                #expect(report.kinds["adapting"]?.found == 7)
            }
        }
    }

    @Test(arguments: Engine.allCases)
    func `a run that blocks others is in the report while it does, and that its kind has moved`(
        engine: Engine
    ) async throws {
        try await withStore(engine) { fixture in
            let path = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
            try #require(FileManager.default.createFile(atPath: path, contents: nil))
            let id = try await Client(store: fixture.store).enqueue(Rude(path: path))
            try await withWorker(fixture, [Rude.self]) {
                defer { #expect(unlink(path) == 0) }
                let report = try await report(fixture, "it says who blocks") { $0.kinds["rude"]?.blocked != nil }
                #expect(report.kinds["rude"]?.blocked?.job == id.rawValue)
                #expect(report.kinds["rude"]?.moved == true)
            }
        }
    }
}
