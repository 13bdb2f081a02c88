import MartletCore
import MartletPostgres
import MartletStore
import MartletTestSupport
import Synchronization
import Testing

/// The primary dies, and a standby that it had waited for takes over.
@Suite struct FailoverTests {
    private static let workers = 2
    private static let concurrency = 8

    @Test(.timeLimit(.minutes(10))) func `nothing acknowledged is lost when a standby takes over`() async throws {
        let primary = try PostgresServer(.init(fsync: true))
        let standby = try primary.makeStandby()
        let url =
            "postgres://postgres@127.0.0.1:\(primary.port),127.0.0.1:\(standby.port)/postgres?target_session_attrs=read-write"
        try await withSite(database: url) { site in
            let migration = try await site.start("migrate").end()
            #expect(migration.status == 0, "\(migration.errors)")
            let workers = try (0..<Self.workers).map { _ in try site.start("worker") }
            let producer = Producer(try await PostgresStore.open(PostgresOptions(url: url)))
            let producing = Task { try await producer.run(tasks: 8) }
            try await producer.reach(150)
            try await site.waitForStarts(50)
            try primary.stop(.immediate)
            try standby.promote()
            try await producer.reach(producer.acknowledged.count + 150)
            producer.stop()
            try await producing.value
            let drain = try await site.start("worker", "--drain").end()
            #expect(drain.status == 0, "\(drain.errors)")
            for worker in workers { worker.terminate() }
            for worker in workers {
                let ended = try await worker.end()
                #expect(ended.status == 0, "\(ended.errors)")
            }
            // What ran when the primary died may run again, and no more than that.
            let inFlight = (Self.workers + 1) * Self.concurrency * 4
            try await Verdict(site).check(acknowledged: producer.acknowledged, duplicates: inFlight)
        }
    }
}

/// Enqueues one job after another from several tasks, and keeps the ids that it was told are in.
private final class Producer: Sendable {
    private let store: PostgresStore
    private let ids = Mutex<[Int64]>([])
    private let isStopped = Atomic(false)

    init(_ store: PostgresStore) { self.store = store }

    var acknowledged: [Int64] { ids.withLock { $0 } }

    func stop() { isStopped.store(true, ordering: .relaxed) }

    func run(tasks: Int) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<tasks { group.addTask { try await self.enqueue() } }
            try await group.waitForAll()
        }
        await store.close()
    }

    private func enqueue() async throws {
        while !isStopped.load(ordering: .relaxed) {
            do {
                let id = try await store.enqueue([try NewJob(kind: "touch")])[0]
                ids.withLock { $0.append(id.rawValue) }
                // As quick as the handlers, which are processes.
                try await Task.sleep(for: .milliseconds(20))
            } catch let error as StoreError {
                // It may be in or not, and is not counted; anything that waiting does not mend fails the test.
                guard error.isTransient else { throw error }
            }
        }
    }

    /// The bound only ends a wait for what does not come.
    func reach(_ count: Int) async throws {
        let end = ContinuousClock.now + .seconds(120)
        while acknowledged.count < count {
            try #require(ContinuousClock.now < end, "\(acknowledged.count) of \(count) were acknowledged")
            try await Task.sleep(for: .milliseconds(5))
        }
    }
}

extension Site {
    fileprivate func waitForStarts(_ count: Int) async throws {
        let end = ContinuousClock.now + .seconds(120)
        while try starts().count < count {
            try #require(ContinuousClock.now < end, "too few jobs began")
            try await Task.sleep(for: .milliseconds(5))
        }
    }
}
