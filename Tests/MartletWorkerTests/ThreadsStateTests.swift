import Testing

@testable import MartletWorker

@Suite struct ThreadsStateTests {
    private let slot = Slot(
        number: 1, work: work(chunk(jobs: 1)), threads: HandlerThreads(name: "test", width: 1, reserve: 0))

    /// Two threads of two block, and two more have come in their place.
    private func crowded(_ piece: (Moment) -> ThreadsState.Piece) -> (ThreadsState, [ParkedThread]) {
        var state = ThreadsState(width: 2, reserve: 8)
        var threads: [ParkedThread] = []
        func started(_ action: ThreadsState.Action, at now: Moment) {
            guard case .start(let thread) = action else { return }
            threads.append(thread)
            _ = state.next(for: thread, now: now)
        }
        for _ in 0..<2 { started(state.submit(piece(at(0))), at: at(0)) }
        #expect(threads.count == 2)
        for _ in 0..<2 { _ = state.submit(piece(at(0))) }
        for action in state.look(now: at(1_000)).1 { started(action, at: at(1_000)) }
        #expect(threads.count == 4)
        return (state, threads)
    }

    @Test func `threads that came in others' place leave nothing waiting when they are no longer wanted`() {
        let captor = Captor()
        let task = Task(executorPreference: captor) {}
        func piece(_ now: Moment) -> ThreadsState.Piece { ThreadsState.Piece(job: captor.job, slot: slot, since: now) }
        var (state, threads) = crowded(piece)
        for thread in threads {
            guard case .park = state.next(for: thread, now: at(1_001)).step else {
                Issue.record("there is nothing to do, and as many threads are allowed")
                return
            }
        }
        _ = state.look(now: at(2_000))
        // Whoever is woken for a piece runs it, however many threads there are too many.
        for turn in 0..<10 as Range<Int64> {
            switch state.submit(piece(at(2_000 + turn))) {
            case .none, .ring: Issue.record("nobody is sent for piece \(turn)")
            case .wake(let thread), .start(let thread):
                guard case .run = state.next(for: thread, now: at(2_000 + turn)).step else {
                    Issue.record("piece \(turn) is left waiting")
                    return
                }
                switch state.next(for: thread, now: at(2_001 + turn)).step {
                case .run, .fire, .call: Issue.record("there was one piece")
                case .park, .end: break
                }
            }
        }
        #expect(state.look(now: at(9_000)).0.lag == .zero)
        captor.run()
        withExtendedLifetime(task) {}
    }

    @Test func `too many threads become as many as there may be, and the rest goes on`() {
        let captor = Captor()
        let task = Task(executorPreference: captor) {}
        func piece(_ now: Moment) -> ThreadsState.Piece { ThreadsState.Piece(job: captor.job, slot: slot, since: now) }
        var (state, threads) = crowded(piece)
        for _ in 0..<4 { _ = state.submit(piece(at(1_001))) }
        // The two that blocked go on, and none is held any longer.
        for thread in threads[..<2] { _ = state.next(for: thread, now: at(1_002)) }
        _ = state.look(now: at(1_003))
        var left = 0
        for thread in threads {
            switch state.next(for: thread, now: at(1_004)).step {
            case .end: left += 1
            case .run: break
            case .fire: Issue.record("nothing sleeps")
            case .call: Issue.record("nobody asked")
            case .park: Issue.record("two pieces wait")
            }
        }
        #expect(left == 2)
        captor.run()
        withExtendedLifetime(task) {}
    }
}
