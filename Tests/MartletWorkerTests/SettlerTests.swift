import Logging
import MartletCore
import MartletStore
import Synchronization
import Testing

@testable import MartletWorker

@Suite struct SettlerTests {
    private let store = ScriptedStore()
    private let events = Events()
    private let failures = Failures()
    private let settler: Settler
    private let loop: Task<Void, Never>
    private let lost = Lost()

    private final class Failures: Sendable { let all = Mutex<[StoreError]>([]) }
    private final class Passed: Sendable { let count = Atomic(0) }
    private final class Lost: Sendable { let leases = Mutex<Set<LeaseID>>([]) }

    init() {
        let herald = Herald(
            logger: .silent, observer: { [events] in events.append($0) })
        let access = StoreAccess(herald: herald) { [failures] error in failures.all.withLock { $0.append(error) } }
        settler = Settler(store: store, access: access, herald: herald)
        loop = Task { [settler, lost] in await settler.run { leases in lost.leases.withLock { $0.formUnion(leases) } } }
    }

    private func end() async {
        settler.close()
        await loop.value
    }

    @Test func `an ending is written at once when nothing is under way`() async {
        settler.add([settlement()])
        #expect(await settler.flushed(within: .seconds(60)))
        #expect(store.settlements == [settlement()])
        #expect(settler.tally.completed == 1)
        await end()
    }

    @Test func `endings that come during a flush share the next one`() async throws {
        store.change { $0.holdsSettlements = true }
        settler.add([settlement(1, 0)])
        try await eventually("the first flush is under way") { store.change { $0.held.count } == 1 }
        for index in 1...100 { settler.add([settlement(1, index)]) }
        store.letGo()
        #expect(await settler.flushed(within: .seconds(60)))
        #expect(store.change { $0.flushes } == [1, 100])
        await end()
    }

    @Test func `while the store is away endings wait, with one event for the outage`() async throws {
        store.change { $0.outage = StoreError(.unavailable, "away") }
        for index in 0..<10 { settler.add([settlement(1, index)]) }
        try await eventually("it was noticed") { events.contains { if case .storeUnavailable = $0 { true } else { false } } }
        #expect(!(await settler.flushed(within: .milliseconds(200))))
        store.change { $0.outage = nil }
        #expect(await settler.flushed(within: .seconds(60)))
        #expect(store.settlements.map(\.index) == Array(0..<10))
        #expect(events.count { if case .storeUnavailable = $0 { true } else { false } } == 1)
        #expect(events.count { if case .storeAvailable = $0 { true } else { false } } == 1)
        await end()
    }

    @Test func `endings of lost leases are dropped and counted, the others written`() async {
        store.change { $0.lost = [LeaseID(rawValue: 2)] }
        settler.add([settlement(1, 0), settlement(2, 0), settlement(2, 1), settlement(3, 0, .failed(boom, .exhausted))])
        #expect(await settler.flushed(within: .seconds(60)))
        #expect(store.settlements.map(\.lease.rawValue) == [1, 3])
        #expect(settler.tally.fenced == 2)
        #expect(settler.tally.completed == 1)
        #expect(settler.tally.failed == 1)
        #expect(lost.leases.withLock { $0 } == [LeaseID(rawValue: 2)])
        await end()
    }

    @Test func `whoever wants room waits while it is full, and no longer`() async throws {
        store.change { $0.holdsSettlements = true }
        settler.add((0..<SettleQueue.capacity).map { settlement(1, $0) })
        let passed = Passed()
        let waiting = (0..<5).map { _ in
            Task { [settler] in
                await settler.room()
                passed.count.add(1, ordering: .relaxed)
            }
        }
        try await eventually("a flush is under way") { store.change { $0.held.count } == 1 }
        #expect(passed.count.load(ordering: .relaxed) == 0)
        store.letGo()
        for task in waiting { await task.value }
        #expect(passed.count.load(ordering: .relaxed) == 5)
        await end()
    }

    @Test func `closing lets go of everybody who waits`() async throws {
        store.change { $0.outage = StoreError(.unavailable, "away") }
        settler.add((0..<SettleQueue.capacity).map { settlement(1, $0) })
        let waiting = Task { await settler.room() }
        settler.close()
        await waiting.value
        #expect(!(await settler.flushed(within: .seconds(60))))
        await loop.value
    }

    @Test func `an error that waiting does not cure ends it`() async {
        store.change { $0.outage = StoreError(.unusable, "not a database") }
        settler.add([settlement()])
        await loop.value
        #expect(failures.all.withLock { $0.map(\.code) } == [.unusable])
    }
}
