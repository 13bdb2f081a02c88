import DequeModule
import MartletCore

/// Which thread does what. Under the lock of ``HandlerThreads``.
///
/// Sleeps end on these threads too, without one of their own and without a call of the kernel for each: a thread that looks
/// for work also takes what is due. Of those that have none, one waits no longer than to the next that will be, the keeper.
/// While all threads run there is no keeper; each looks when it is through with its piece. Of pieces and sleeps whatever waits
/// longest goes first, and the piece that an ended sleep brings has waited since that was due: so it is run right after, while
/// what belongs to its task is in the processor's cache.
struct ThreadsState {
    /// A part of a task between two suspensions.
    struct Piece {
        let job: UnownedJob
        let slot: Slot
        let since: Moment
    }

    enum Action {
        case none
        case wake(ParkedThread)
        case start(ParkedThread)
        /// ``rang(_:now:)`` wants to be called then: no thread waits for it.
        case ring(at: Moment)
    }

    enum Step {
        case run(Piece)
        /// Ends of sleeps. Each brings the piece with which its task goes on, and does nothing else.
        case fire([Sleeps.Sleep])
        /// Somebody wants to know that there is nothing to do.
        case call(@Sendable () -> Void)
        /// Until woken, or until then.
        case park(until: Moment?)
        case end
    }

    /// A thread that fires ends no more sleeps than this before it looks again: some ten microseconds' worth.
    private static let salvo = 16

    private let width: Int
    private let reserve: Int
    /// As many threads as there may be now.
    private var allowed: Int
    private var threads = 0
    private var queue: Deque<Piece> = []
    private var sleeps = Sleeps()
    /// The one that slept last is woken first: its caches are warm.
    private var parked: [ParkedThread] = []
    /// Sleeps, too, but not longer than to the next that is due.
    private var keeper: (thread: ParkedThread, until: Moment)?
    /// Threads that fire, and look for pieces right after.
    private var firing = 0
    /// By the threads' numbers, which are given again when a thread has ended.
    private var holds: [HandlerThreads.Hold?] = []
    private var freeNumbers: [Int] = []
    private var isClosed = false
    /// For the first thread that finds nothing to do.
    private var idleCall: (@Sendable () -> Void)?
    /// The next call of ``rang(_:now:)``.
    private var alarm: Moment?

    init(width: Int, reserve: Int) {
        self.width = width
        self.reserve = reserve
        allowed = width
    }

    // MARK: What comes

    mutating func submit(_ piece: Piece) -> Action {
        queue.append(piece)
        return queue.count > firing ? serve() : .none
    }

    /// - Parameter job: ends a sleep.
    mutating func submit(_ job: UnownedJob, due: Moment) -> Action {
        sleeps.add(job, due: due)
        return keepTime()
    }

    /// - Returns: false when a thread has nothing to do now, or would be begun for the next piece.
    mutating func whenIdle(_ call: @escaping @Sendable () -> Void) -> Bool {
        // Nothing begins any more.
        guard !isClosed else { return true }
        // Each piece has its thread, or one that is on its way: who sleeps now is wanted by nobody.
        guard active >= allowed else { return false }
        idleCall = call
        return true
    }

    /// Those that do not sleep. There may be more threads than are allowed by now: those sleep until they are wanted.
    private var active: Int { threads - parked.count - (keeper == nil ? 0 : 1) }

    /// A thread for what waits.
    private mutating func serve() -> Action {
        guard active < allowed else { return .none }
        if let thread = parked.popLast() { return .wake(thread) }
        if let keeper {
            self.keeper = nil
            return .wake(keeper.thread)
        }
        guard threads < allowed else { return .none }
        threads += 1
        if let number = freeNumbers.popLast() { return .start(ParkedThread(number: number)) }
        holds.append(nil)
        return .start(ParkedThread(number: holds.count - 1))
    }

    /// As long as not all threads run, one of those that do not waits for what is due next.
    private mutating func keepTime() -> Action {
        guard let first = sleeps.first else { return .none }
        if let keeper {
            guard first < keeper.until else { return .none }
            // Comes back, and learns what there is now.
            self.keeper = nil
            return .wake(keeper.thread)
        }
        guard isClosed else { return serve() }
        if let alarm, alarm <= first { return .none }
        alarm = first
        return .ring(at: first)
    }

    // MARK: A thread asks

    /// A thread is through with what it did, and asks.
    /// - Parameter fired: that was to end sleeps, and these are the pieces they brought.
    mutating func next(
        for thread: ParkedThread, fired: [Piece]? = nil, now: Moment
    ) -> (step: Step, action: Action) {
        if let fired {
            firing -= 1
            queue.prepend(contentsOf: fired)
        }
        let due = sleeps.first.flatMap { $0 <= now ? $0 : nil }
        if let call = idleCall, queue.isEmpty, due == nil {
            idleCall = nil
            holds[thread.number] = nil
            return (.call(call), keepTime())
        }
        // One of too many may end if others are left that look for what waits, or if nothing does.
        if active > allowed || threads > allowed && queue.first == nil && due == nil {
            return (leave(thread), keepTime())
        }
        if let due, queue.first.map({ due <= $0.since }) ?? true {
            holds[thread.number] = nil
            firing += 1
            let ended = sleeps.take(until: min(queue.first?.since ?? now, now), most: Self.salvo)
            return (.fire(ended), hasDue(now) ? serve() : keepTime())
        }
        if let piece = queue.popFirst() {
            holds[thread.number] = HandlerThreads.Hold(slot: piece.slot, since: now)
            return (.run(piece), due != nil || queue.count > firing ? serve() : keepTime())
        }
        guard !isClosed else { return (leave(thread), keepTime()) }
        holds[thread.number] = nil
        guard keeper == nil, let first = sleeps.first else {
            parked.append(thread)
            return (.park(until: nil), .none)
        }
        keeper = (thread, first)
        return (.park(until: first), .none)
    }

    private mutating func leave(_ thread: ParkedThread) -> Step {
        holds[thread.number] = nil
        freeNumbers.append(thread.number)
        threads -= 1
        return .end
    }

    private func hasDue(_ now: Moment) -> Bool { sleeps.first.map { $0 <= now } ?? false }

    /// A thread has waited until its moment.
    /// - Returns: false when it was woken meanwhile, and the signal is on its way.
    mutating func resign(_ thread: ParkedThread) -> Bool {
        guard keeper?.thread === thread else { return false }
        keeper = nil
        return true
    }

    // MARK: The end

    /// Threads end once nothing waits but what is not due yet. Whoever still runs, having been written off, finds one when it
    /// goes on.
    mutating func close() -> [Action] {
        isClosed = true
        idleCall = nil
        var actions = parked.map(Action.wake)
        parked = []
        if let keeper { actions.append(.wake(keeper.thread)) }
        keeper = nil
        return actions + [keepTime()]
    }

    mutating func rang(_ moment: Moment, now: Moment) -> Action {
        if alarm == moment { alarm = nil }
        return hasDue(now) ? serve() : keepTime()
    }

    // MARK: Watching

    mutating func look(now: Moment) -> (HandlerThreads.Findings, [Action]) {
        var findings = HandlerThreads.Findings()
        findings.holds = holds.compactMap { $0 }.filter { now >= $0.since + HandlerThreads.patience }
        let first = [queue.first?.since, sleeps.first].compactMap { $0 }.min()
        findings.lag = first.map { max(now - $0, .zero) } ?? .zero
        findings.isBusy = holds.contains { $0 != nil }
        allowed = width + min(findings.holds.count, reserve)
        var actions: [Action] = []
        let waiting = queue.count + (hasDue(now) ? 1 : 0)
        for _ in 0..<min(waiting, max(allowed - active, 0)) { actions.append(serve()) }
        // One more is allowed by now, and has nothing to do.
        if idleCall != nil, waiting == 0 { actions.append(serve()) }
        actions.append(keepTime())
        return (findings, actions)
    }
}
