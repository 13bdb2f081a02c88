import MartletCore
import MartletStore
import Synchronization
import Testing

@testable import MartletWorker

/// Jobs whose worker died under them; see ``Suspicion``.
@Suite struct SuspicionTests {
    @Test func `the first death under a job is slight suspicion, the second grave`() {
        #expect((0...4).map(Suspicion.init(crashes:)) == [.none, .slight, .grave, .grave, .grave])
    }

    @Test(arguments: [(1, 1), (1, 8), (8, 2), (100, 2), (5_000, 2), (200_000, 64)])
    func `few with slight suspicion run at a time, between as many as alone and as many as any`(
        concurrency: Int, processors: Int
    ) throws {
        #expect(Suspicion.none.limit(concurrency: concurrency, alone: processors) == nil)
        #expect(Suspicion.grave.limit(concurrency: concurrency, alone: processors) == processors)
        let slight = try #require(Suspicion.slight.limit(concurrency: concurrency, alone: processors))
        #expect(slight >= min(processors, concurrency) && slight <= max(processors, concurrency))
        // What all take together when one of them is guilty: as little as with any other number.
        func rounds(_ limit: Int) -> Double {
            Double(concurrency) / Double(limit) + Double(limit) / Double(processors)
        }
        #expect((1...max(processors, concurrency)).allSatisfy { rounds(slight) <= rounds($0) + 1 })
    }

    @Test func `slight suspicion runs a job as ever, a few at a time beside the others, grave suspicion alone`() throws {
        var (state, aftermath) = suspicious(crashes: 1)
        #expect(aftermath.settle.map(\.index) == Array(7..<50), "the root of 20 jobs times 2 processors; no other is risked")
        #expect(state.isSparing && aftermath.start.isEmpty, "not before that is written")
        #expect(state.watch(now: at(1)).start.isEmpty)
        let started = state.spared().start
        #expect(started.count == 7 && started.allSatisfy { $0.work.count == 1 && $0.work.suspicion == .slight })
        guard case .claim(let plan) = state.next(now: at(2)) else {
            Issue.record("it claims nothing")
            return
        }
        #expect(plan.limit == 13, "the other slots are free for others")
        let grave = state.accept([chunk(2, jobs: 5, crashes: 2).lease], session: 1, now: at(2)).start
        #expect(grave.map(\.work.suspicion) == [.grave, .grave])
        _ = state.next(now: at(12))
        let others = state.accept([chunk(3, jobs: 11).lease], session: 1, now: at(12)).start
        #expect(others.count == 11 && others.allSatisfy { $0.work.suspicion == .none })
    }

    @Test func `where no job can run alone nothing is held against any`() {
        let handler = Handler(kind: "k0", reporting: { _ in RunReport(.completed(result: nil)) })
        var configuration = WorkerConfiguration(name: "test", concurrency: 20)
        configuration.suspects = 2
        var state = FloorState(handlers: [handler], configuration: configuration)
        state.registered(WorkerID(rawValue: 1), lease: .seconds(30), at: at(0))
        _ = state.next(now: at(0))
        #expect(state.accept([chunk(jobs: 20, crashes: 2).lease], session: 1, now: at(0)).start.count == 20)
    }

    /// A worker of 20 jobs and two suspects at a time, that got 50 suspects.
    private func suspicious(count: Int = 50, crashes: Int = 2, drain: Bool = false) -> (FloorState, FloorState.Aftermath) {
        let handler = Handler(
            kind: "k0", isolated: { _ in RunReport(.completed(result: nil)) },
            reporting: { _ in RunReport(.completed(result: nil)) })
        var configuration = WorkerConfiguration(name: "test", concurrency: 20, drain: drain)
        configuration.suspects = 2
        var state = FloorState(handlers: [handler], configuration: configuration)
        state.registered(WorkerID(rawValue: 1), lease: .seconds(30), at: at(0))
        _ = state.next(now: at(0))
        let aftermath = state.accept([chunk(jobs: count, crashes: crashes).lease], session: 1, now: at(0))
        return (state, aftermath)
    }

    @Test func `suspects run few at a time, and take no room from others`() throws {
        var (state, aftermath) = suspicious()
        let started = aftermath.start
        #expect(started.map(\.work.range) == [0..<1, 1..<2])
        guard case .claim(let plan) = state.next(now: at(1)) else {
            Issue.record("it claims nothing")
            return
        }
        #expect(plan.limit == 18, "the other slots are free for others")
        let others = state.accept([chunk(2, jobs: 18).lease], session: 1, now: at(1)).start
        #expect(others.count == 18 && others.allSatisfy { $0.work.chunk.lease.id.rawValue == 2 })
        let handler = state.handlers[0]
        for slot in [started[0], others[0]] {
            _ = slot.state.withLock { $0.begin(now: at(1), handler: handler) }
            _ = slot.state.withLock { $0.end(RunReport(.cancelled), now: at(2), handler: handler, random: { 0 }) }
        }
        let again = state.again(started[0], jobs: 1, total: .seconds(1))
        #expect(again?.range == 2..<3, "the next suspect, now that one is through")
        #expect(state.again(others[0], jobs: 1, total: .seconds(1)) == nil, "no third one")
    }

    @Test func `a lease is taken apart into suspects and others`() {
        let crashes = [0, 1, 2, 3, 1]
        let jobs = crashes.enumerated().map { index, crashes in
            LeasedJob(
                id: JobID(rawValue: Int64(index)), attempt: 1, crashes: crashes, maxAttempts: nil, timeout: nil,
                enqueuedAt: Timestamp(microseconds: 0), args: .emptyObject)
        }
        let lease = Lease(
            id: LeaseID(rawValue: 1), kind: "k0", queue: "default", priority: Priority(rawValue: 5)!, jobs: jobs)
        let pieces = Work.pieces(of: chunk(of: lease))
        #expect(pieces.map(\.range) == [0..<1, 1..<2, 2..<4, 4..<5])
        #expect(pieces.map(\.suspicion) == [.none, .slight, .grave, .slight])
    }

    @Test func `suspects whose turn does not come are left to others, but not by a drain`() {
        var (state, _) = suspicious(count: 20)
        #expect(state.watch(now: at(9_999)).settle.isEmpty)
        let putOff = state.watch(now: at(10_000)).settle
        #expect(putOff.map(\.index) == Array(2..<20))
        #expect(putOff.map(\.ending) == (0..<18).map { .snoozed(.milliseconds(10_000 + 500 * $0)) })
        var (draining, _) = suspicious(drain: true)
        #expect(draining.watch(now: at(60_000)).settle.isEmpty)
        #expect(draining.next(now: at(60_000)) != .confirmQuiet)
    }

    @Test func `of very many suspects few wait here, and the others come back one after the other`() {
        var (state, first) = suspicious()
        #expect(first.settle.map(\.index) == Array(20..<50))
        #expect(first.settle.map(\.ending) == (0..<30).map { .snoozed(.milliseconds(10_000 + 500 * $0)) })
        _ = state.next(now: at(1))
        let second = state.accept([chunk(2, jobs: 4_000, crashes: 2).lease], session: 1, now: at(1))
        #expect(second.settle.count == 3_998, "two have begun, and 18 wait")
        #expect(second.settle.first?.ending == .snoozed(.milliseconds(24_999)), "behind the first ones")
        #expect(second.settle.last?.ending == .snoozed(.milliseconds(24_999 + 500 * 3_997)))
        let (_, drain) = suspicious(drain: true)
        #expect(drain.settle.isEmpty)
    }
}
