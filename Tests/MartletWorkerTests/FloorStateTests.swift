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
