import MartletCore

/// Which thread does what. Under the lock of ``HandlerThreads``.
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
    }

    enum Step {
        case run(Piece)
        case park
        case end
    }

    private let width: Int
    private let reserve: Int
    /// As many threads as there may be now.
    private var allowed: Int
    private var threads = 0
    private var lastThread = 0
    private var queue = PieceQueue()
    /// The one that slept last is woken first: its caches are warm.
    private var parked: [ParkedThread] = []
    private var holds: [Int: HandlerThreads.Hold] = [:]
    private var isClosed = false

    init(width: Int, reserve: Int) {
        self.width = width
        self.reserve = reserve
        allowed = width
    }

    mutating func submit(_ piece: Piece) -> Action {
        queue.append(piece)
        return serve()
    }

    /// Those that do not sleep. There may be more threads than are allowed by now: those sleep until they are wanted.
    private var active: Int { threads - parked.count }

    /// A thread for what waits.
    private mutating func serve() -> Action {
        guard active < allowed else { return .none }
        if let thread = parked.popLast() { return .wake(thread) }
        guard threads < allowed else { return .none }
        threads += 1
        lastThread += 1
        return .start(ParkedThread(number: lastThread))
    }

    /// A thread is through with what it did, and asks.
    mutating func next(for thread: ParkedThread, now: Moment) -> Step {
        // One of too many may end if others are left that look for what waits, or if nothing does.
        if active > allowed || threads > allowed && queue.first == nil {
            holds[thread.number] = nil
            threads -= 1
            return .end
        }
        guard let piece = queue.popFirst() else {
            holds[thread.number] = nil
            guard !isClosed else {
                threads -= 1
                return .end
            }
            parked.append(thread)
            return .park
        }
        holds[thread.number] = HandlerThreads.Hold(slot: piece.slot, since: now)
        return .run(piece)
    }

    /// Threads end once nothing waits. Whoever still runs, having been written off, finds one when it goes on.
    /// - Returns: the sleeping ones, to be woken.
    mutating func close() -> [ParkedThread] {
        isClosed = true
        defer { parked = [] }
        return parked
    }

    mutating func look(now: Moment) -> (HandlerThreads.Findings, [Action]) {
        var findings = HandlerThreads.Findings()
        findings.holds = holds.values.filter { now >= $0.since + HandlerThreads.patience }
        findings.lag = queue.first.map { max(now - $0.since, .zero) } ?? .zero
        findings.isBusy = !holds.isEmpty
        allowed = width + min(findings.holds.count, reserve)
        var actions: [Action] = []
        for _ in 0..<min(queue.count, max(allowed - active, 0)) { actions.append(serve()) }
        return (findings, actions)
    }
}

/// First in, first out, without moving the rest at each step.
struct PieceQueue {
    private var pieces: [ThreadsState.Piece?] = []
    private var head = 0

    var count: Int { pieces.count - head }
    var first: ThreadsState.Piece? { head < pieces.count ? pieces[head] : nil }

    mutating func append(_ piece: ThreadsState.Piece) { pieces.append(piece) }

    mutating func popFirst() -> ThreadsState.Piece? {
        guard head < pieces.count else { return nil }
        defer {
            pieces[head] = nil
            head += 1
            if head == pieces.count {
                pieces.removeAll(keepingCapacity: true)
                head = 0
            } else if head > 1_024, head * 2 > pieces.count {
                pieces.removeFirst(head)
                head = 0
            }
        }
        return pieces[head]
    }
}
