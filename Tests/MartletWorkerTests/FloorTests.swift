import Foundation
import Glibc
import MartletCore
import MartletStore
import Synchronization
import Testing

@testable import MartletWorker

@Suite struct FloorTests {
    private func floor(_ handlers: [Handler], _ configuration: WorkerConfiguration = .quick) -> Floor {
        let herald = Herald(logger: .silent, observer: nil)
        let store = ScriptedStore()
        let settler = Settler(store: store, access: StoreAccess(herald: herald) { _ in }, herald: herald)
        return Floor(
            handlers: handlers, configuration: configuration, logger: .silent, herald: herald, settler: settler,
            emptied: Signal())
    }

    /// A worker that is registered, has claimed, and is given these.
    private func give(_ leases: [Lease], to floor: Floor) throws {
        floor.registered(WorkerID(rawValue: 1), at: .now)
        let session = try #require(floor.session)
        floor.hint()
        guard case .claim = floor.next() else {
            Issue.record("it does not claim")
            return
        }
        floor.accept(leases, session: session, isCertain: false)
    }

    /// - Parameter suspends: of so many jobs one is suspended; nil: none.
    @Test(arguments: [nil, 1, 100])
    func `a run is not kept from its thread until all others are done`(suspends: Int?) async throws {
        let total = 20_000
        let ended = Atomic(0)
        let othersBefore = Atomic(0)
        let isOver = Signal()
        let busy = Handler(
            kind: "k0",
            run: { call in
                if let suspends, call.index % suspends == 0 { await Task.yield() }
                ended.add(1, ordering: .relaxed)
                return .completed(result: nil)
            })
        let other = Handler(
            kind: "k1",
            run: { _ in
                for _ in 0..<3 { await Task.yield() }
                othersBefore.store(ended.load(ordering: .relaxed), ordering: .relaxed)
                isOver.raise()
                return .completed(result: nil)
            })
        var configuration = WorkerConfiguration.quick
        // Enough of the others to take all threads.
        configuration.concurrency = 1 + 2 * ProcessInfo.processInfo.activeProcessorCount
        let floor = floor([busy, other], configuration)
        let leases = [chunk(1, kind: 1, jobs: 1, priority: 0).lease, chunk(2, kind: 0, jobs: total).lease]
        try give(leases, to: floor)
        #expect(await isOver.wait(atMost: .seconds(60)))
        #expect(othersBefore.load(ordering: .relaxed) < total)
        floor.stop()
        try await eventually("the others end") { floor.isEmpty }
        floor.close()
    }

    /// - Parameter suspends: the jobs of the other kind.
    @Test(arguments: [false, true])
    func `jobs that block run on threads of their own, whatever the runner ran before`(suspends: Bool) async throws {
        let places = Names()
        let count = Atomic(0)
        let isOver = Signal()
        let coroutine = Handler(
            kind: "k0",
            run: { _ in
                if suspends { await Task.yield() }
                return .completed(result: nil)
            })
        let blocking = Handler(
            kind: "k1", executor: .blocking,
            run: { _ in
                places.note()
                if count.add(1, ordering: .relaxed).newValue == 5 { isOver.raise() }
                return .completed(result: nil)
            })
        var configuration = WorkerConfiguration.quick
        configuration.concurrency = 1
        let floor = floor([coroutine, blocking], configuration)
        // One after the other, by their priorities.
        let leases = (0..<10).map { chunk(Int64($0 + 1), kind: $0 % 2, jobs: 1, priority: $0).lease }
        try give(leases, to: floor)
        #expect(await isOver.wait(atMost: .seconds(60)))
        #expect(Set(places.all) == ["martlet-block"])
        floor.stop()
        try await eventually("all end") { floor.isEmpty }
        floor.close()
    }

    /// Nobody watches this floor: were some forgotten while all threads have nothing to do, the others would wait for ever.
    @Test(arguments: 1...8)
    func `jobs that wait for each other all begin, though few may begin at a time`(crowd: Int) async throws {
        let (all, rounds) = (300, 5)
        for _ in 0..<rounds {
            let gate = Gate()
            let handler = Handler(
                kind: "k0",
                run: { call in
                    switch call.index % 4 {
                    case 0: await Task.yield()
                    case 1: await Task.detached {}.value
                    default: break
                    }
                    // The first one tells that the kind is short, and not so short that a runner takes several at a time.
                    if call.lease == LeaseID(rawValue: 1) { usleep(1_000) } else { await gate.pass() }
                    return .completed(result: nil)
                })
            var configuration = WorkerConfiguration.quick
            configuration.concurrency = all
            configuration.crowd = crowd
            let floor = floor([handler], configuration)
            try give([chunk(1, jobs: 1).lease], to: floor)
            try await eventually("it has ended") { floor.isEmpty }
            try give((0..<3).map { chunk(Int64($0 + 2), jobs: all / 3).lease }, to: floor)
            try await eventually("all wait side by side") { gate.waiting == all }
            gate.open()
            try await eventually("all runners end") { floor.isEmpty }
            floor.close()
        }
    }

    @Test func `a hint is passed on once what it is mostly about has been looked for`() async throws {
        let floor = floor([Handler(kind: "work", run: done)])
        floor.registered(WorkerID(rawValue: 1), at: .now)
        let session = try #require(floor.session)
        floor.hint()
        #expect(await floor.stirred.wait(atMost: .zero) == false, "somebody waits for the claim")
        guard case .claim = floor.next() else {
            Issue.record("it does not claim")
            return
        }
        #expect(await floor.stirred.wait(atMost: .zero) == false)
        floor.accept([], session: session, isCertain: false)
        #expect(await floor.stirred.wait(atMost: .zero))
        #expect(await floor.stirred.wait(atMost: .zero) == false, "once")
    }

    @Test func `a hint is passed on at once where nothing is claimed`() async {
        let floor = floor([])
        floor.hint()
        guard case .wait = floor.next() else {
            Issue.record("it claims nothing")
            return
        }
        #expect(await floor.stirred.wait(atMost: .zero))
    }
}
