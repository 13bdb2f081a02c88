import MartletCore
import MartletStore
import Synchronization
import Testing

@testable import MartletWorker

/// Which short jobs begin, and which wait for a thread without work: by counts, without threads.
@Suite struct CrowdTests {
    // MARK: The number

    @Test func `the number rises by a quarter of what is under way, and to the concurrency at most`() {
        var crowd = Crowd(least: 8, most: 20)
        #expect(crowd.limit == 8)
        crowd.idle(underWay: 8)
        #expect(crowd.limit == 10)
        crowd.idle(underWay: 16)
        #expect(crowd.limit == 20, "more were under way than the number was lately")
        crowd.idle(underWay: 20)
        #expect(crowd.limit == 20)
    }

    @Test func `with one at a time it rises, too`() {
        var crowd = Crowd(least: 1, most: 1_000_000)
        var rounds = 0
        while crowd.limit < 1_000_000 {
            let before = crowd.limit
            crowd.idle(underWay: before)
            #expect(crowd.limit > before)
            rounds += 1
        }
        #expect(rounds < 100)
    }

    @Test func `it falls while threads are behind, never below what may begin anyway`() {
        var crowd = Crowd(least: 8, most: 1_000)
        crowd.idle(underWay: 800)
        #expect(crowd.limit == 1_000)
        crowd.look(lag: Crowd.patience)
        #expect(crowd.limit == 1_000)
        crowd.look(lag: Crowd.patience + .nanoseconds(1))
        #expect(crowd.limit == 875)
        for _ in 0..<100 { crowd.look(lag: .seconds(1)) }
        #expect(crowd.limit == 8)
    }

    @Test func `it is never more than the concurrency`() {
        #expect(Crowd(least: 256, most: 10).limit == 10)
    }

    // MARK: Whom it holds

    /// Two kinds, of which the first is one that crowds and takes so long.
    private func intake(_ time: Duration?, slots: Int, crowd: Int) -> IntakeState {
        var intake = IntakeState(
            concurrency: 100, limits: [nil, nil], crowding: [0], crowd: crowd, poll: .seconds(1), drain: false)
        if let time { intake.measured(0, jobs: 1, total: time) }
        intake.buffered(0, slots)
        for _ in 0..<slots { intake.took(0, jobs: 1) }
        return intake
    }

    @Test func `short jobs are held beyond the number, and no others`() {
        #expect(intake(.milliseconds(1), slots: 3, crowd: 4).share(0) == 1)
        let crowded = intake(.milliseconds(1), slots: 4, crowd: 4)
        #expect(crowded.share(0) == 0 && crowded.holdsBack(0))
        #expect(crowded.share(1) == 1 && !crowded.holdsBack(1), "a kind that does not crowd")
        #expect(intake(nil, slots: 50, crowd: 4).share(0) == 1, "a kind that was never measured")
        #expect(intake(.milliseconds(51), slots: 50, crowd: 4).share(0) == 1, "a kind that takes long")
    }

    @Test func `each kind has its share, however many of another are under way`() {
        var intake = IntakeState(
            concurrency: 100, limits: [nil, 50], crowding: [0, 1], crowd: 8, poll: .seconds(1), drain: false)
        for kind in 0...1 { intake.measured(kind, jobs: 1, total: .milliseconds(1)) }
        intake.buffered(0, 40)
        for _ in 0..<40 { intake.took(0, jobs: 1) }
        for _ in 0..<4 {
            #expect(intake.share(0) == 0 && intake.holdsBack(0))
            #expect(intake.share(1) == 1 && !intake.holdsBack(1))
            intake.buffered(1, 1)
            intake.took(1, jobs: 1)
        }
        #expect(intake.share(1) == 0 && intake.holdsBack(1))
    }

    @Test func `what waits for a place is not held back by the crowd`() {
        let full = intake(.milliseconds(1), slots: 100, crowd: 4)
        #expect(full.share(0) == 0 && !full.holdsBack(0))
    }

    @Test func `jobs that have outlasted the horizon make room for others`() {
        var intake = intake(.milliseconds(1), slots: 4, crowd: 4)
        for _ in 0..<3 { intake.overdue(0) }
        #expect(intake.share(0) == 1)
        intake.buffered(0, 3)
        for _ in 0..<3 { intake.took(0, jobs: 1) }
        #expect(intake.share(0) == 0, "as many again")
    }

    @Test func `a kind that got threads of its own is not held any more`() {
        var intake = intake(.milliseconds(1), slots: 4, crowd: 4)
        intake.moved(0)
        #expect(intake.share(0) == 1)
    }

    @Test func `suspects that run alone are not held`() {
        #expect(intake(.milliseconds(1), slots: 4, crowd: 4).share(0, .grave) == 1)
    }

    @Test func `handlers whose runs are elsewhere, or that find their own number, do not crowd`() {
        #expect(Handler(kind: "a", run: done).crowds)
        #expect(!Handler(kind: "a", executor: .blocking, run: done).crowds)
        #expect(!Handler(kind: "a", executor: .process, run: done).crowds)
        #expect(!Handler(kind: "a", adapts: true, run: done).crowds)
        #expect(!Handler(kind: "a", crowds: false, run: done).crowds)
        #expect(!Handler(kind: "a", crowds: false, run: done).wrapped { await $1($0) }.crowds)
        #expect(!Handler(kind: "a", usesProcesses: true, reporting: { RunReport(await done($0)) }).crowds)
    }

    // MARK: The floor

    /// A floor of 20 places and a crowd of 2, on which one job of a millisecond has run. Then 10 more were claimed.
    private func floor() throws -> (FloorState, started: [Slot]) {
        var configuration = WorkerConfiguration(name: "test", concurrency: 20)
        configuration.crowd = 2
        var state = FloorState(handlers: [Handler(kind: "k0", run: done)], configuration: configuration)
        state.registered(WorkerID(rawValue: 1), lease: .seconds(30), at: at(0))
        _ = state.next(now: at(0))
        let first = try #require(state.accept([chunk(jobs: 1).lease], session: 1, now: at(0)).start.first)
        run(first, state, from: 0, to: 1)
        #expect(state.again(first, jobs: 1, total: .milliseconds(1)) == nil)
        _ = state.next(now: at(2))
        let started = state.accept([chunk(2, jobs: 10).lease], session: 1, now: at(2)).start
        return (state, started)
    }

    private func run(_ slot: Slot, _ state: FloorState, from start: Int64, to end: Int64? = nil) {
        let handler = state.handlers[0]
        slot.state.withLock { slot in
            _ = slot.begin(now: at(start), handler: handler)
            guard let end else { return }
            _ = slot.end(RunReport(.completed(result: nil)), now: at(end), handler: handler, random: { 0 })
        }
    }

    @Test func `the next job begins when one has ended, and more when a thread has nothing to do`() throws {
        var (state, started) = try floor()
        #expect(started.count == 2)
        run(started[0], state, from: 2, to: 3)
        #expect(state.again(started[0], jobs: 1, total: .milliseconds(1))?.range == 2..<3)
        #expect(state.watch(now: at(4)).start.isEmpty)
        #expect(state.idle().start.map(\.work.range) == [3..<4])
        #expect(state.idle().start.count == 1)
        #expect(state.entries.count == 4)
    }

    @Test func `threads are asked once for what is held, and again after they have answered`() throws {
        var (state, _) = try floor()
        let asked = (0..<2).map { _ in state.begunHolding() }
        #expect(asked == [true, false], "then they know")
        _ = state.idle()
        let asksAgain = state.begunHolding()
        #expect(asksAgain)
        var rounds = 0
        while case let aftermath = state.idle(), !aftermath.start.isEmpty {
            rounds += 1
            let isHeld = state.begunHolding()
            #expect(isHeld == (state.entries.count < 10))
        }
        #expect(rounds > 1 && state.entries.count == 10, "each time some begin, until none is held")
    }

    @Test func `runners end where there are too many, and their jobs wait`() throws {
        var (state, started) = try floor()
        while started.count < 6, case let more = state.idle().start, !more.isEmpty { started += more }
        let many = started.count
        for _ in 0..<20 { _ = state.watch(lag: .seconds(1), now: at(3)) }
        let waiting = state.buffer.entries.reduce(0) { $0 + $1.count }
        #expect(waiting == 10 - many)
        run(started[0], state, from: 3, to: 4)
        #expect(state.again(started[0], jobs: 1, total: .milliseconds(1)) == nil)
        #expect(state.entries.count == many - 1)
        #expect(state.buffer.entries.reduce(0) { $0 + $1.count } == waiting)
        let isAsked = state.begunHolding()
        #expect(isAsked, "the runner that ends leaves word")
    }

    @Test func `handlers that never end make room for others once the horizon is over`() throws {
        var (state, started) = try floor()
        for slot in started { run(slot, state, from: 2) }
        #expect(state.watch(lag: .seconds(1), now: at(51)).start.isEmpty)
        for round in 1...4 as ClosedRange<Int64> {
            let now = 2 + 50 * round
            let more = state.watch(lag: .seconds(1), now: at(now)).start
            #expect(more.count == 2)
            for slot in more { run(slot, state, from: now) }
        }
        #expect(state.entries.count == 10)
    }

    @Test func `what is held is cancelled, given back and dropped as all that wait`() throws {
        var (state, _) = try floor()
        let cancelled = state.cancel([CancelRequest(lease: LeaseID(rawValue: 2), index: 7)], now: at(3))
        #expect(cancelled.settle.map(\.index) == [7] && cancelled.settle.map(\.ending) == [.cancelled])
        #expect(cancelled.start.isEmpty)
        let stopped = state.stop()
        #expect(stopped.settle.map(\.index).sorted() == [0, 1, 2, 3, 4, 5, 6, 8, 9], "none has begun")
        #expect(stopped.settle.allSatisfy { $0.ending == .givenBack })
        #expect(isQuiet(&state), "nothing is held then")

        (state, _) = try floor()
        #expect(state.lose(session: 1, now: at(3)) != nil)
        #expect(isQuiet(&state))
    }

    private func isQuiet(_ state: inout FloorState) -> Bool { !state.begunHolding() && state.idle().start.isEmpty }
}
