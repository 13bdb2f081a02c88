import MartletCore
import MartletStore

/// What one runner has in hand: a few jobs of one chunk, of which at most one runs.
///
/// ```
///            begin                 end
/// between ──────────▶ running ────────────▶ between
///                        │ stop                ▲
///                        ▼          end        │
///                     stopping ────────────────┘  (and the runner leaves: its task is cancelled)
///                        │ the unwind time is over
///                        ▼
///                    writtenOff                   (whatever the handler returns now is ignored)
/// ```
/// The runner moves it once per job; the watch looks at it now and then, and takes from it what must not wait.
struct SlotState {
    enum Phase: Equatable {
        case between
        case running(Run)
        case stopping(Run, Stop, since: Moment)
        case writtenOff
    }

    struct Run: Equatable {
        let index: Int
        let startedAt: Moment
        let timeout: Duration?
    }

    /// Why a running job was told to stop.
    enum Stop: Equatable {
        case timedOut
        /// A person asked.
        case cancelled
        /// The worker stops.
        case interrupted
        /// The lease is no longer ours, so nothing may be settled.
        case lost
    }

    /// What the runner does next.
    enum Next: Equatable {
        case goOn
        /// Its task was cancelled: a new job needs a new one.
        case leave
        /// Nobody counts on it any more.
        case vanish
    }

    private(set) var phase = Phase.between
    private(set) var work: Work
    /// Ended and not handed to the settler yet.
    private(set) var ended: [Settlement] = []
    private var endedSince: Moment?
    private var expired: [Expired] = []
    /// Since when the run under way has held a thread that others wait for, once that is known.
    private var heldSince: Moment?
    /// When the first of the jobs in hand began, and how many of them ran.
    private var turn: (begunAt: Moment, jobs: Int)?

    init(_ work: Work) { self.work = work }

    // MARK: The runner's side

    mutating func receive(_ work: Work) {
        precondition(phase == .between && self.work.range.isEmpty)
        self.work = work
        turn = nil
    }

    /// How many jobs of those in hand ran, and how long they took together.
    func turn(now: Moment) -> (jobs: Int, total: Duration) { turn.map { ($0.jobs, now - $0.begunAt) } ?? (0, .zero) }

    /// - Returns: the index of the job to run; nil when there is none left.
    mutating func begin(now: Moment, handler: Handler) -> Int? {
        if turn == nil { turn = (now, 0) }
        guard phase == .between, var index = work.range.popFirst() else { return nil }
        while !isInTime(index, now: now, handler: handler) {
            guard let next = work.range.popFirst() else { return nil }
            index = next
        }
        phase = .running(
            Run(index: index, startedAt: now, timeout: work.chunk.lease.jobs[index].timeout ?? handler.timeout))
        heldSince = nil
        return index
    }

    /// - Returns: the ending to tell observers, nil when nothing is settled; and what to do next.
    mutating func end(_ report: RunReport, now: Moment, handler: Handler, random: () -> Double) -> (Ending?, Next) {
        turn?.jobs += 1
        switch phase {
        case .running(let run):
            phase = .between
            return (settle(run, report, now: now, handler: handler, random: random), .goOn)
        case .stopping(let run, let stop, _):
            phase = .between
            guard let outcome = stop.outcome(of: report.outcome, timeout: run.timeout) else { return (nil, .leave) }
            let report = RunReport(outcome, usage: report.usage, followUps: report.followUps)
            return (settle(run, report, now: now, handler: handler, random: random), .leave)
        case .writtenOff:
            return (nil, .vanish)
        case .between:
            preconditionFailure("a job ended that had not begun")
        }
    }

    mutating func takeEnded() -> [Settlement] {
        endedSince = nil
        guard !ended.isEmpty else { return [] }
        defer { ended.removeAll(keepingCapacity: true) }
        return ended
    }

    // MARK: The watch's side

    /// The jobs not begun.
    mutating func release() -> Work {
        defer { work.range = work.range.upperBound..<work.range.upperBound }
        return work
    }

    /// What one look finds, and takes.
    struct Seen {
        let chunk: Chunk
        var startedAt: Moment?
        /// Jobs behind one that already took long, for other slots.
        var rest: Work?
        var ended: [Settlement] = []
        /// Its time was up just now.
        var isStopped = false
        /// It was told to stop and has not ended.
        var isStopping = false
        /// When its time will be up.
        var timesOut: Moment?
        /// The index of a job that did not end in spite of all.
        var writtenOff: Int?
    }

    /// - Parameter holdUp: after this time the jobs behind the one that runs, and the endings before it, go elsewhere.
    mutating func look(now: Moment, holdUp: Duration, handler: Handler) -> Seen {
        var seen = Seen(chunk: work.chunk, startedAt: startedAt)
        seen.isStopped = isOverdue(now: now) && stop(.timedOut, now: now)
        seen.writtenOff = writeOff(now: now, handler: handler, random: { .random(in: 0..<1) })
        switch phase {
        case .running(let run): seen.timesOut = run.timeout.map { run.startedAt + $0 }
        case .stopping: seen.isStopping = true
        case .between, .writtenOff: break
        }
        seen.ended = seen.writtenOff == nil ? takeEnded(olderThan: holdUp, now: now) : takeEnded()
        if seen.writtenOff != nil || seen.startedAt.map({ now >= $0 + holdUp }) ?? false { seen.rest = release() }
        return seen
    }

    /// The slot's thread has been held since then, or since the job began, if that was later.
    /// - Returns: which job holds it, when that was not known before.
    mutating func holds(since: Moment) -> (index: Int, since: Moment)? {
        guard heldSince == nil, let startedAt, let runningIndex else { return nil }
        let since = max(since, startedAt)
        heldSince = since
        return (runningIndex, since)
    }

    var startedAt: Moment? {
        switch phase {
        case .running(let run), .stopping(let run, _, _): run.startedAt
        case .between, .writtenOff: nil
        }
    }

    var runningIndex: Int? {
        switch phase {
        case .running(let run), .stopping(let run, _, _): run.index
        case .between, .writtenOff: nil
        }
    }

    /// The first reason to stop stands, but a lost lease comes before every other.
    /// - Returns: whether the runner's task is to be cancelled now.
    mutating func stop(_ reason: Stop, now: Moment) -> Bool {
        switch phase {
        case .running(let run):
            phase = .stopping(run, reason, since: now)
            return true
        case .stopping(let run, _, let since):
            if reason == .lost { phase = .stopping(run, .lost, since: since) }
            return false
        case .between, .writtenOff:
            return false
        }
    }

    func isOverdue(now: Moment) -> Bool {
        guard case .running(let run) = phase, let timeout = run.timeout else { return false }
        return now >= run.startedAt + timeout
    }

    /// Gives up on a handler that does not end. What it had to be settled as goes to ``ended``.
    /// - Returns: the job's index, when the slot was written off by this call.
    mutating func writeOff(now: Moment, handler: Handler, random: () -> Double) -> Int? {
        guard case .stopping(let run, let stop, let since) = phase, now >= since + handler.unwind else { return nil }
        if let outcome = stop.outcome(of: .interrupted, timeout: run.timeout) {
            _ = settle(run, RunReport(outcome), now: now, handler: handler, random: random)
        }
        phase = .writtenOff
        return run.index
    }

    /// Endings that waited at least this long for the rest of their batch.
    mutating func takeEnded(olderThan age: Duration, now: Moment) -> [Settlement] {
        guard let endedSince, now >= endedSince + age else { return [] }
        return takeEnded()
    }

    private mutating func settle(
        _ run: Run, _ report: RunReport, now: Moment, handler: Handler, random: () -> Double
    ) -> Ending {
        let job = work.chunk.lease.jobs[run.index]
        let maxAttempts = job.maxAttempts ?? handler.retry.maxAttempts
        var usage = report.usage
        if let heldSince {
            usage = usage ?? Usage()
            usage?.blocked = now - heldSince
        }
        let ending: Ending
        var followUps: [NewJob] = []
        if case .completed(let result) = report.outcome {
            ending = .completed(result: result)
            followUps = report.followUps
        } else {
            ending = Ending(
                report.outcome, attempt: job.attempt, maxAttempts: maxAttempts, crashes: job.crashes, retry: handler.retry,
                random: random())
        }
        add(
            Settlement(
                lease: work.chunk.lease.id, index: run.index, ending: ending, maxAttempts: maxAttempts,
                nanoseconds: (
                    run.startedAt.nanoseconds(since: work.chunk.claimedAt), now.nanoseconds(since: run.startedAt)
                ), usage: usage, followUps: followUps), now: now)
        return ending
    }

    private mutating func add(_ settlement: Settlement, now: Moment) {
        ended.append(settlement)
        if endedSince == nil { endedSince = now }
    }

    // MARK: Too late

    /// A job whose time was over ends without having run, and is told of as the ones that ran are.
    struct Expired: Equatable {
        let index: Int
        let ending: Ending
    }

    /// - Returns: whether the job may still be started.
    private mutating func isInTime(_ index: Int, now: Moment, handler: Handler) -> Bool {
        guard work.chunk.mayExpire else { return true }
        let job = work.chunk.lease.jobs[index]
        guard let expiresIn = job.expiresIn else { return true }
        let claimedAt = work.chunk.claimedAt
        let late = now - claimedAt - expiresIn
        guard late >= .zero else { return true }
        let ending = Ending.expired(late: late)
        add(
            Settlement(
                lease: work.chunk.lease.id, index: index, ending: ending,
                maxAttempts: job.maxAttempts ?? handler.retry.maxAttempts, waited: now - claimedAt, ran: .zero), now: now)
        expired.append(Expired(index: index, ending: ending))
        return false
    }

    /// Those that expired since this was last asked.
    mutating func takeExpired() -> [Expired] {
        guard !expired.isEmpty else { return [] }
        defer { expired = [] }
        return expired
    }
}
