import MartletCore
import MartletStore
import MartletWorker
import Synchronization
import Testing

/// Where an idle worker claims.
@Suite struct VigilTests {
    private let thread = SomeThread()
    private let store: ScriptedStore

    init() { store = ScriptedStore(thread: thread) }

    /// A worker that has looked once and found nothing, and polls in an hour.
    private func run(
        _ handlers: [Handler], observer: (@Sendable (WorkerEvent) -> Void)? = nil, _ body: () async throws -> Void
    ) async throws {
        var configuration = WorkerConfiguration.quick
        configuration.poll = .seconds(3_600)
        let worker = WorkerService(
            store: store, handlers: handlers, configuration: configuration, logger: .silent, observer: observer)
        let task = Task { try await worker.run() }
        do {
            try await eventually("it has looked") { store.change { !$0.claims.isEmpty } }
            try await body()
        } catch {
            worker.stop(.now)
            throw error
        }
        worker.stop(.graceful)
        try await task.value
    }

    @Test func `what a hint tells of is claimed on the thread that hears of it, and runs elsewhere`() async throws {
        let runs = Mutex<[Bool]>([])
        let handler = Handler(kind: "work") { [thread] _ in
            runs.withLock { $0.append(thread.isHere) }
            return .completed(result: nil)
        }
        try await run([handler]) {
            // What comes while it still takes in that there was nothing may be asked for at once, where it is.
            var count = 0
            repeat {
                count += 1
                store.add(1, "work")
                try await eventually("it is settled") { store.settlements.count == count }
            } while store.change { !$0.claimPlaces.contains(true) }
            store.change { $0.claimPlaces = [] }
            for _ in 0..<20 {
                count += 1
                store.add(1, "work")
                try await eventually("it is settled") { store.settlements.count == count }
            }
            #expect(!store.change { $0.claimPlaces.contains(false) })
        }
        #expect(!runs.withLock { $0.contains(true) })
    }

    @Test func `after a claim that brought something it looks again by itself, since no hint may come`() async throws {
        let gate = Gate()
        let handler = Handler(kind: "work") { _ in
            await gate.pass()
            return .completed(result: nil)
        }
        try await run([handler]) {
            for _ in 0..<3 {
                let before = store.change { $0.claims.count }
                store.add(1, "work")
                try await eventually("it has looked again") { store.change { $0.claims.count } >= before + 2 }
            }
            gate.open()
            try await eventually("all are settled") { store.settlements.count == 3 }
        }
    }

    @Test func `users' code is called elsewhere, also with many jobs at a time`() async throws {
        let places = Mutex<[Bool]>([])
        let handler = Handler(kind: "work") { _ in .completed(result: nil) }
        let observer: @Sendable (WorkerEvent) -> Void = { [thread] _ in places.withLock { $0.append(thread.isHere) } }
        try await run([handler], observer: observer) {
            store.add(1, "work")
            try await eventually("it is settled") { store.settlements.count == 1 }
            store.add(100, "work")
            try await eventually("they are settled") { store.settlements.count == 101 }
        }
        #expect(places.withLock { $0.contains(true) } == false)
    }

    @Test func `an outage is waited out elsewhere, and what came meanwhile is claimed`() async throws {
        let handler = Handler(kind: "work") { _ in .completed(result: nil) }
        try await run([handler]) {
            store.change { $0.outage = StoreError(.unavailable, "away") }
            store.add(1, "work")
            store.change { $0.outage = nil }
            try await eventually("it is settled") { store.settlements.count == 1 }
        }
    }
}
