import MartletCore
import MartletStore
import Synchronization
import Testing

@testable import MartletWorker

@Suite struct FloorStateTests {
    private let lease = LeaseID(rawValue: 1)

    /// A floor with one registration and one answered claim: `jobs` of kind `k0`, `taken` of them in slots.
    private func floor(
        jobs: Int, concurrency: Int = 1, limits: [Int?] = [nil], unwind: Duration = .seconds(5)
    ) -> (FloorState, FloorState.Aftermath) {
        let handlers = limits.enumerated().map { index, limit in
            Handler(kind: "k\(index)", concurrency: limit, timeout: .seconds(10), unwind: unwind, run: done)
        }
        var state = FloorState(
            handlers: handlers, configuration: WorkerConfiguration(name: "test", concurrency: concurrency))
        state.registered(WorkerID(rawValue: 1), lease: .seconds(30), at: at(0))
        _ = state.next(now: at(0))
        let aftermath = state.accept([chunk(jobs: jobs).lease], session: 1, now: at(0))
        return (state, aftermath)
    }

    private func request(_ index: Int) -> CancelRequest { CancelRequest(lease: lease, index: index) }

    @Test func `leases of a registration that was lost meanwhile are dropped`() {
        var (state, _) = floor(jobs: 1, concurrency: 2)
        _ = state.lose(session: 1, now: at(1))
        state.registered(WorkerID(rawValue: 2), lease: .seconds(30), at: at(2))
        _ = state.next(now: at(2))
        let aftermath = state.accept([chunk(2, jobs: 5).lease], session: 1, now: at(3))
        #expect(aftermath.start.isEmpty)
        #expect(aftermath.settle.isEmpty)
    }

    @Test func `a registration is lost once`() {
        var (state, _) = floor(jobs: 3)
        #expect(state.lose(session: 1, now: at(1)) != nil)
        #expect(state.lose(session: 1, now: at(1)) == nil)
        #expect(state.session == nil)
    }

    @Test func `cancelling takes a job out of the buffer, a slot's waiting jobs, or stops it`() throws {
        var (state, started) = floor(jobs: 4)
        let slot = try #require(started.start.first)
        #expect(slot.work.range == 0..<1, "of an unknown kind a slot takes one")
        let handler = state.handlers[0]
        _ = slot.state.withLock { $0.begin(now: at(1), handler: handler) }
        let waiting = state.cancel([request(2)], now: at(2))
        #expect(waiting.settle.map(\.index) == [2])
        #expect(waiting.settle.map(\.ending) == [.cancelled])
        #expect(waiting.cancel.isEmpty)
        let running = state.cancel([request(0)], now: at(2))
        #expect(running.settle.isEmpty)
        #expect(running.cancel.map(\.number) == [slot.number])
        #expect(state.cancel([request(0), request(2), request(77)], now: at(3)).cancel.isEmpty, "each is told once")
    }

    @Test func `cancelling 20 000 running jobs looks at each of them once`() {
        let count = 20_000
        var (state, started) = floor(jobs: count, concurrency: count)
        #expect(started.start.count == count)
        let handler = state.handlers[0]
        for slot in started.start { _ = slot.state.withLock { $0.begin(now: at(1), handler: handler) } }
        let aftermath = state.cancel((0..<count).map(request), now: at(2))
        #expect(aftermath.cancel.count == count)
        #expect(aftermath.looked == count)
        #expect(state.cancel((0..<count).map(request), now: at(3)).cancel.isEmpty, "the next heartbeat says the same")
    }

    // MARK: Suspects

    /// A worker of 20 jobs and two suspects at a time, that got 50 suspects.
    private func suspicious(count: Int = 50, drain: Bool = false) -> (FloorState, FloorState.Aftermath) {
        let handler = Handler(
            kind: "k0", isolated: { _ in RunReport(.completed(result: nil)) },
            reporting: { _ in RunReport(.completed(result: nil)) })
        var configuration = WorkerConfiguration(name: "test", concurrency: 20, drain: drain)
        configuration.suspects = 2
        var state = FloorState(handlers: [handler], configuration: configuration)
        state.registered(WorkerID(rawValue: 1), lease: .seconds(30), at: at(0))
        _ = state.next(now: at(0))
        let aftermath = state.accept([chunk(jobs: count, crashes: 1).lease], session: 1, now: at(0))
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
        #expect(others.count == 18 && others.allSatisfy { $0.chunk.lease.id.rawValue == 2 })
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
        let crashes = [0, 1, 1, 0]
        let jobs = crashes.enumerated().map { index, crashes in
            LeasedJob(
                id: JobID(rawValue: Int64(index)), attempt: 1, crashes: crashes, maxAttempts: nil, timeout: nil,
                enqueuedAt: Timestamp(microseconds: 0), args: .emptyObject)
        }
        let lease = Lease(id: lease, kind: "k0", queue: "default", priority: Priority(rawValue: 5)!, jobs: jobs)
        let pieces = Work.pieces(of: Chunk(lease: lease, kind: 0, session: 1, claimedAt: at(0)))
        #expect(pieces.map(\.range) == [0..<1, 1..<3, 3..<4])
        #expect(pieces.map(\.isSuspect) == [false, true, false])
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

    @Test func `what waits behind a long job in its slot runs elsewhere`() throws {
        var (state, started) = floor(jobs: 1, concurrency: 2)
        let first = try #require(started.start.first)
        let handler = state.handlers[0]
        _ = first.state.withLock { $0.begin(now: at(0), handler: handler) }
        _ = first.state.withLock { $0.end(RunReport(.completed(result: nil)), now: at(0), handler: handler, random: { 0 }) }
        #expect(state.again(first, jobs: 1, total: .microseconds(10)) == nil)
        // Now the kind is known to be short, and a slot takes many.
        _ = state.next(now: at(1))
        let aftermath = state.accept([chunk(2, jobs: 20).lease], session: 1, now: at(1))
        let slot = try #require(aftermath.start.first)
        #expect(slot.work.count == 20)
        _ = slot.state.withLock { $0.begin(now: at(1), handler: handler) }
        #expect(state.watch(now: at(5)).start.isEmpty)
        let freed = state.watch(now: at(6))
        #expect(freed.start.map(\.work.range) == [1..<20])
    }

    @Test func `stopping gives back what has not begun, in the buffer and in slots`() throws {
        var (state, started) = floor(jobs: 5)
        let slot = try #require(started.start.first)
        let handler = state.handlers[0]
        _ = slot.state.withLock { $0.begin(now: at(1), handler: handler) }
        let aftermath = state.stop()
        #expect(aftermath.settle.map(\.index).sorted() == [1, 2, 3, 4])
        #expect(aftermath.settle.allSatisfy { $0.ending == .givenBack })
        #expect(aftermath.cancel.isEmpty)
        #expect(state.interrupt(now: at(2)).cancel.map(\.number) == [slot.number])
        #expect(state.next(now: at(2)) == .stopped)
    }

    @Test func `a timeout cancels the task, and the unwind time writes the slot off`() throws {
        var (state, started) = floor(jobs: 1)
        let slot = try #require(started.start.first)
        let handler = state.handlers[0]
        _ = slot.state.withLock { $0.begin(now: at(0), handler: handler) }
        #expect(state.watch(now: at(9_999)).cancel.isEmpty)
        #expect(state.watch(now: at(10_000)).cancel.map(\.number) == [slot.number])
        #expect(state.watch(now: at(14_999)).abandoned.isEmpty)
        let aftermath = state.watch(now: at(15_000))
        #expect(aftermath.abandoned.map(\.1) == [0])
        #expect(aftermath.settle.map(\.index) == [0])
        #expect(state.leave(slot, jobs: 1, total: .zero).start.isEmpty, "the runner that comes back late changes nothing")
    }

    @Test func `jobs stuck behind a slot that does not come free go back`() throws {
        var (state, started) = floor(jobs: 4)
        let slot = try #require(started.start.first)
        let handler = state.handlers[0]
        _ = slot.state.withLock { $0.begin(now: at(0), handler: handler) }
        #expect(state.watch(now: at(10)).settle.isEmpty)
        let aftermath = state.watch(now: at(1_010))
        #expect(aftermath.settle.map(\.index) == [1, 2, 3])
        #expect(aftermath.settle.allSatisfy { $0.ending == .givenBack })
    }
}

extension Slot {
    fileprivate var work: Work { state.withLock { $0.work } }
}
