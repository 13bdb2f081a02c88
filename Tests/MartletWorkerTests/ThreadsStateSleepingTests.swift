import Testing

@testable import MartletWorker

/// Sleeps among the threads: by values of time, without any.
@Suite struct ThreadsStateSleepingTests {
    /// Asks for what the threads of a shell would, and keeps what they are told.
    private final class Pool {
        private let captor = Captor()
        private let task: Task<Void, Never>
        private let slot = Slot(
            number: 1, work: work(chunk(jobs: 1)), threads: HandlerThreads(name: "test", width: 1, reserve: 0))
        private var state: ThreadsState
        /// What the threads' last sleeps bring.
        private var brought: [Int: [ThreadsState.Piece]] = [:]
        /// Since when the piece had waited that was run last.
        private(set) var lastRun: Moment?

        init(width: Int, reserve: Int = 0) {
            task = Task(executorPreference: captor) {}
            state = ThreadsState(width: width, reserve: reserve)
        }

        deinit { captor.run() }

        func submit(at now: Int64) -> Seen {
            Seen(state.submit(ThreadsState.Piece(job: captor.job, slot: slot, since: at(now))))
        }

        func sleep(until due: Int64) -> Seen { Seen(state.submit(captor.job, due: at(due))) }

        /// - Parameters:
        ///   - hasFired: sleeps, which brought nothing.
        ///   - hasBrought: sleeps, and each brought a piece.
        func next(_ thread: ParkedThread, hasFired: Bool = false, hasBrought: Bool = false, at now: Int64) -> Turn {
            let fired: [ThreadsState.Piece]? = hasBrought ? brought[thread.number] : hasFired ? [] : nil
            let (step, action) = state.next(for: thread, fired: fired, now: at(now))
            switch step {
            case .run(let piece): lastRun = piece.since
            case .fire(let sleeps):
                brought[thread.number] = sleeps.map {
                    ThreadsState.Piece(job: captor.job, slot: slot, since: $0.due)
                }
            case .call, .park, .end: break
            }
            return Turn(Done(step), Seen(action))
        }

        /// A thread that runs a piece.
        func running(at now: Int64) throws -> ParkedThread {
            let thread = try #require(submit(at: now).started)
            #expect(next(thread, at: now).done == .runs)
            return thread
        }

        func whenIdle() -> Bool { state.whenIdle {} }

        func resign(_ thread: ParkedThread) -> Bool { state.resign(thread) }

        func look(at now: Int64) -> (HandlerThreads.Findings, [Seen]) {
            let (findings, actions) = state.look(now: at(now))
            return (findings, actions.map(Seen.init))
        }

        func rang(_ moment: Int64, at now: Int64) -> Seen { Seen(state.rang(at(moment), now: at(now))) }

        func close() -> [Seen] { state.close().map(Seen.init) }
    }

    /// What a thread is told, and what is done beside.
    private struct Turn: Equatable {
        let done: Done
        let seen: Seen

        init(_ done: Done, _ seen: Seen = .nothing) { (self.done, self.seen) = (done, seen) }
    }

    private enum Done: Equatable {
        case runs, calls, ends
        case fires(Int)
        case parks(until: Moment?)

        init(_ step: ThreadsState.Step) {
            self =
                switch step {
                case .run: .runs
                case .fire(let sleeps): .fires(sleeps.count)
                case .call: .calls
                case .park(let until): .parks(until: until)
                case .end: .ends
                }
        }
    }

    private enum Seen: Equatable {
        case nothing
        case wakes(ParkedThread)
        case starts(ParkedThread)
        case rings(Moment)

        init(_ action: ThreadsState.Action) {
            self =
                switch action {
                case .none: .nothing
                case .wake(let thread): .wakes(thread)
                case .start(let thread): .starts(thread)
                case .ring(let moment): .rings(moment)
                }
        }

        static func == (a: Seen, b: Seen) -> Bool {
            switch (a, b) {
            case (.nothing, .nothing): true
            case (.wakes(let a), .wakes(let b)), (.starts(let a), .starts(let b)): a === b
            case (.rings(let a), .rings(let b)): a == b
            case (.nothing, _), (.wakes, _), (.starts, _), (.rings, _): false
            }
        }

        var started: ParkedThread? { if case .starts(let thread) = self { thread } else { nil } }
    }

    @Test func `a sleep ends when it is due, and not before`() throws {
        let pool = Pool(width: 1)
        let thread = try pool.running(at: 0)
        #expect(pool.sleep(until: 10) == .nothing, "there is no other thread, and this one will look")
        #expect(pool.next(thread, at: 9).done == .parks(until: at(10)))
        #expect(pool.resign(thread))
        #expect(pool.next(thread, at: 10).done == .fires(1))
        #expect(pool.next(thread, hasFired: true, at: 11).done == .parks(until: nil))
    }

    @Test func `one of the threads that have nothing to do waits for what is due next`() throws {
        let pool = Pool(width: 3)
        let busy = try pool.running(at: 0)
        let keeper = try #require(pool.sleep(until: 10).started)
        #expect(pool.next(keeper, at: 1).done == .parks(until: at(10)))
        #expect(pool.sleep(until: 20) == .nothing, "later is soon enough")
        #expect(pool.sleep(until: 5) == .wakes(keeper))
        #expect(pool.next(keeper, at: 2).done == .parks(until: at(5)))
        #expect(pool.next(busy, at: 3) == Turn(.parks(until: nil), .nothing), "one is enough")
        #expect(pool.resign(keeper))
        #expect(pool.next(keeper, at: 5) == Turn(.fires(1), .wakes(busy)), "now another one keeps time")
        #expect(pool.next(busy, at: 5).done == .parks(until: at(10)))
    }

    @Test func `a thread that finds nothing to do says so once, before it waits`() throws {
        let pool = Pool(width: 1)
        let thread = try pool.running(at: 0)
        #expect(pool.whenIdle())
        _ = pool.submit(at: 1)
        _ = pool.sleep(until: 2)
        #expect(pool.next(thread, at: 3).done == .runs, "a piece waits")
        #expect(pool.next(thread, at: 3).done == .fires(1), "a sleep is over")
        #expect(pool.next(thread, hasBrought: true, at: 3).done == .runs)
        _ = pool.sleep(until: 10)
        #expect(pool.next(thread, at: 4).done == .calls, "what sleeps is nothing to do")
        #expect(pool.next(thread, at: 4).done == .parks(until: at(10)))
    }

    @Test func `whoever asks while a thread has nothing to do is told at once`() throws {
        let pool = Pool(width: 2)
        #expect(!pool.whenIdle(), "none has begun")
        let first = try pool.running(at: 0)
        #expect(!pool.whenIdle(), "there may be another one")
        let second = try pool.running(at: 0)
        #expect(pool.next(second, at: 1).done == .parks(until: nil))
        #expect(!pool.whenIdle())
        #expect(pool.submit(at: 2) == .wakes(second))
        #expect(pool.whenIdle(), "it is on its way to a piece")
        #expect(pool.next(first, at: 2).done == .runs)
        #expect(pool.next(second, at: 2).done == .calls, "another one was there first")
        #expect(pool.next(second, at: 2).done == .parks(until: nil))
    }

    @Test func `whoever asks is told of threads that sleep, though one is on its way to a piece`() throws {
        let pool = Pool(width: 2)
        let threads = try (0..<2).map { _ in try pool.running(at: 0) }
        for thread in threads { #expect(pool.next(thread, at: 1).done == .parks(until: nil)) }
        #expect(pool.submit(at: 2) == .wakes(threads[1]))
        #expect(!pool.whenIdle())
    }

    @Test func `a thread that is allowed later, and has nothing to do, says so`() throws {
        let pool = Pool(width: 1, reserve: 1)
        let first = try pool.running(at: 0)
        #expect(pool.whenIdle())
        let second = try #require(pool.look(at: 1_000).1.compactMap(\.started).first)
        #expect(pool.next(second, at: 1_000).done == .calls)
        #expect(pool.next(first, at: 1_001).done == .parks(until: nil))
    }

    @Test func `a thread that is one too many says so before it ends`() throws {
        let pool = Pool(width: 1, reserve: 1)
        let first = try pool.running(at: 0)
        _ = pool.submit(at: 0)
        let second = try #require(pool.look(at: 1_000).1.compactMap(\.started).first)
        #expect(pool.next(second, at: 1_000).done == .runs)
        #expect(pool.next(first, at: 1_001).done == .parks(until: nil))
        _ = pool.look(at: 1_001)
        #expect(pool.whenIdle())
        #expect(pool.next(second, at: 1_002).done == .calls)
        #expect(pool.next(second, at: 1_002).done == .ends)
    }

    @Test func `nobody is told of a pool that was closed`() throws {
        let pool = Pool(width: 1)
        let thread = try pool.running(at: 0)
        #expect(pool.whenIdle())
        _ = pool.close()
        #expect(pool.whenIdle())
        #expect(pool.next(thread, at: 1).done == .ends)
    }

    @Test func `a keeper that gets a piece is followed by another`() throws {
        let pool = Pool(width: 2)
        let first = try pool.running(at: 0)
        let keeper = try #require(pool.sleep(until: 10).started)
        #expect(pool.next(keeper, at: 0).done == .parks(until: at(10)))
        #expect(pool.submit(at: 1) == .wakes(keeper))
        #expect(pool.next(keeper, at: 1) == Turn(.runs, .nothing), "all threads run, and look when they are through")
        #expect(pool.next(first, at: 2).done == .parks(until: at(10)))
    }

    @Test func `a keeper whose moment comes as it is woken takes the signal`() throws {
        let pool = Pool(width: 2)
        _ = try pool.running(at: 0)
        let keeper = try #require(pool.sleep(until: 10).started)
        #expect(pool.next(keeper, at: 0).done == .parks(until: at(10)))
        #expect(pool.submit(at: 10) == .wakes(keeper))
        #expect(!pool.resign(keeper), "or the signal would be there when it next sleeps")
        #expect(pool.next(keeper, at: 10).done == .fires(1), "the sleep and the piece came at the same time")
    }

    @Test func `of a piece and a sleep the one that waits longer goes first`() throws {
        let pool = Pool(width: 1)
        let thread = try pool.running(at: 0)
        _ = pool.submit(at: 4)
        _ = pool.sleep(until: 5)
        _ = pool.submit(at: 6)
        var order: [Done] = []
        var runs: [Moment?] = []
        for _ in 0..<4 {
            order.append(pool.next(thread, hasBrought: order.last == .fires(1), at: 7).done)
            if order.last == .runs { runs.append(pool.lastRun) }
        }
        #expect(order == [.runs, .fires(1), .runs, .runs])
        #expect(runs == [at(4), at(5), at(6)], "what a sleep brings has waited since that was due")
    }

    @Test func `a sleep that is due waits for a thread once, not once more for its task`() throws {
        let pool = Pool(width: 1)
        let thread = try pool.running(at: 0)
        for due in [5, 6, 8] as [Int64] { _ = pool.sleep(until: due) }
        for _ in 0..<3 { #expect(pool.submit(at: 7) == .nothing) }
        #expect(pool.next(thread, at: 10).done == .fires(2), "only those that have waited longer than the first piece")
        for since in [5, 6, 7, 7, 7] as [Int64] {
            #expect(pool.next(thread, hasBrought: since == 5, at: 10).done == .runs)
            #expect(pool.lastRun == at(since))
        }
        #expect(pool.next(thread, at: 10).done == .fires(1))
    }

    @Test func `a thread that ends sleeps takes the first piece that this brings, and others the rest`() throws {
        let pool = Pool(width: 2)
        let other = try pool.running(at: 0)
        let keeper = try #require(pool.sleep(until: 1).started)
        #expect(pool.sleep(until: 1) == .nothing)
        #expect(pool.next(keeper, at: 0).done == .parks(until: at(1)))
        #expect(pool.next(other, at: 0).done == .parks(until: nil))
        #expect(pool.resign(keeper))
        #expect(pool.next(keeper, at: 1) == Turn(.fires(2)))
        #expect(pool.submit(at: 2) == .nothing, "it will look right after")
        #expect(pool.next(keeper, hasBrought: true, at: 3) == Turn(.runs, .wakes(other)))
        #expect(pool.next(other, at: 3).done == .runs)
        #expect(pool.lastRun == at(1))
        #expect(pool.next(other, at: 3).done == .runs)
        #expect(pool.lastRun == at(2))
    }

    @Test func `what is due is served in place of threads that are held, and counts as lag`() throws {
        let pool = Pool(width: 1, reserve: 4)
        _ = try pool.running(at: 0)
        #expect(pool.sleep(until: 100) == .nothing)
        #expect(pool.look(at: 99).0.lag == .zero)
        #expect(pool.look(at: 130).0.lag == .milliseconds(30))
        let (findings, seen) = pool.look(at: 600)
        #expect(findings.holds.count == 1)
        let another = try #require(seen.lazy.compactMap(\.started).first)
        #expect(pool.next(another, at: 600).done == .fires(1))
    }

    @Test func `one waits in place of threads that are held for what is not due yet`() throws {
        let pool = Pool(width: 1, reserve: 4)
        _ = try pool.running(at: 0)
        _ = pool.sleep(until: 5_000)
        let another = try #require(pool.look(at: 600).1.lazy.compactMap(\.started).first)
        #expect(pool.next(another, at: 600).done == .parks(until: at(5_000)))
    }

    @Test func `very many that are due together are shared out`() throws {
        let pool = Pool(width: 2)
        let first = try pool.running(at: 0)
        let second = try #require(pool.sleep(until: 10).started)
        #expect(pool.next(second, at: 0).done == .parks(until: at(10)))
        for _ in 1..<52 { #expect(pool.sleep(until: 10) == .nothing) }
        #expect(pool.next(first, at: 10) == Turn(.fires(16), .wakes(second)))
        #expect(!pool.resign(second))
        #expect(pool.next(second, at: 10).done == .fires(16))
        #expect(pool.next(first, hasFired: true, at: 10).done == .fires(16))
        #expect(pool.next(first, hasFired: true, at: 10).done == .fires(4))
    }

    @Test func `what sleeps in a closed pool is run at its time, by a thread that comes for it and ends`() throws {
        let pool = Pool(width: 2)
        let thread = try pool.running(at: 0)
        let keeper = try #require(pool.sleep(until: 10_000).started)
        #expect(pool.next(keeper, at: 0).done == .parks(until: at(10_000)))
        #expect(pool.close() == [.wakes(keeper), .rings(at(10_000))])
        #expect(pool.next(keeper, at: 1) == Turn(.ends, .nothing))
        #expect(pool.sleep(until: 20_000) == .nothing, "it will be looked for then")
        #expect(pool.sleep(until: 5_000) == .rings(at(5_000)))
        #expect(pool.next(thread, at: 2) == Turn(.ends, .nothing))
        let late = try #require(pool.rang(5_000, at: 5_001).started)
        #expect(pool.next(late, at: 5_001) == Turn(.fires(1), .rings(at(10_000))))
        #expect(pool.next(late, hasFired: true, at: 5_001) == Turn(.ends))
        let later = try #require(pool.rang(10_000, at: 10_000).started)
        #expect(pool.next(later, at: 10_000) == Turn(.fires(1), .rings(at(20_000))))
        #expect(pool.next(later, hasFired: true, at: 10_000) == Turn(.ends, .nothing))
    }

    /// Threads that run pieces of some milliseconds, and sleeps of some more, in a time of their own.
    @Test(arguments: 0..<30 as Range<UInt64>)
    func `a sleep ends late, and a piece waits, only while every thread runs`(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let width = 1 + Int(seed % 4)
        // From threads that mostly sleep to threads that never do.
        let load = [1, 5, 20][Int(seed % 3)]
        let pool = Pool(width: width)
        var (dues, fired, ran, submitted) = ([Int64](), 0, 0, 0)
        var asking: [ParkedThread] = []
        var busy: [(thread: ParkedThread, until: Int64)] = []
        var keeper: (thread: ParkedThread, until: Moment)?
        /// Somebody wants to know when a thread has nothing to do.
        var isAsked = false
        func act(_ seen: Seen) {
            switch seen {
            case .nothing: break
            case .wakes(let thread), .starts(let thread): asking.append(thread)
            case .rings: Issue.record("the pool is open")
            }
        }
        for now in 0..<1_500 as Range<Int64> {
            if now < 150 {
                if Int.random(in: 0..<20, using: &random) < load {
                    act(pool.submit(at: now))
                    submitted += 1
                }
                if Int.random(in: 0..<20, using: &random) < load {
                    let due = now + .random(in: -2...40, using: &random)
                    dues.append(due)
                    act(pool.sleep(until: due))
                }
            }
            if let idle = keeper, idle.until <= at(now) {
                if pool.resign(idle.thread) { asking.append(idle.thread) }
                keeper = nil
            }
            asking += busy.filter { $0.until <= now }.map(\.thread)
            busy.removeAll { $0.until <= now }
            while let thread = asking.popLast() {
                var hasFired = false
                asked: while true {
                    let turn = pool.next(thread, hasBrought: hasFired, at: now)
                    act(turn.seen)
                    hasFired = false
                    switch turn.done {
                    case .fires(let count):
                        fired += count
                        hasFired = true
                        #expect(fired <= dues.count { $0 <= now }, "none too early")
                        submitted += count
                    case .runs:
                        ran += 1
                        busy.append((thread, now + .random(in: 0...5, using: &random)))
                        break asked
                    case .calls:
                        #expect(isAsked)
                        isAsked = false
                    case .parks(let until):
                        #expect(!isAsked, "who wants to know is told before a thread waits")
                        if let until { keeper = (thread, until) }
                        break asked
                    case .ends: Issue.record("none is too many")
                    }
                }
            }
            if !isAsked, Int.random(in: 0..<10, using: &random) == 0 {
                isAsked = pool.whenIdle()
                #expect(isAsked == (busy.count == width))
            }
            if fired < dues.count(where: { $0 <= now }) || ran < submitted { #expect(busy.count == width) }
        }
        #expect(fired == dues.count && ran == submitted, "each once")
        #expect(!isAsked)
    }
}
