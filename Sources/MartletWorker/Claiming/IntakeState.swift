import MartletCore
import MartletStore

/// Decides what to claim next, from counts alone.
///
/// Two questions take turns, one claim in flight at a time:
/// - **front**: jobs for slots that are free, or will be within the horizon (`Cost.horizon`, 50 ms). All kinds compete, so the
///   store's order of priorities holds; never more than there are such slots, so that a long job is never held back here while
///   another worker could run it. A kind that was never measured counts as slow.
/// - **ahead**: about a horizon of work for kinds known to be fast, in chunks of up to a whole lease, so that the next chunk is
///   on its way while the last one runs.
///
/// An empty answer quiets its question until the next poll or hint, and for a moment even if hints come without end: under load
/// every commit of anybody is a hint, and most are about something else. A hint that comes while a claim is under way counts
/// for the claim after it, since that one may have looked too early. An answer with less than was asked for has emptied the log,
/// and the next question waits for that moment, too: what trickles in is claimed in chunks.
struct IntakeState {
    enum Question: CaseIterable {
        case front, ahead
    }

    struct Plan: Equatable {
        struct Want: Equatable {
            let kind: Int
            let limit: Int
        }

        let question: Question
        let wants: [Want]
        let limit: Int
    }

    enum Action: Equatable {
        case claim(Plan)
        /// Nothing to ask before this moment, unless something changes; nil: until something changes.
        case wait(Moment?)
        /// Drain: all is quiet. Make settlements durable, recover from the dead, promote what is due, and report with
        /// ``confirmed(moved:)``.
        case confirmQuiet
        /// Drain: nothing is left.
        case drained
        case stopped
    }

    private enum Drain {
        case off, working, confirming
        /// Confirmed quiet; one more look at the log.
        case lastLook
        case over
    }

    private struct Kind {
        /// Variable: a kind's own limit may be found while it runs.
        var limit: Int
        var cost = Cost()
        /// See ``Handler/crowds``.
        var crowds = false
        /// Slots that hold jobs of the kind.
        var slots = 0
        /// Of those, the ones whose job has outlasted the horizon.
        var overdue = 0
        /// Claimed and in no slot.
        var buffered = 0
        /// Size of a job's args: of the last lease, or the average if that is more.
        var bytes = 0.0
        /// Since when the buffered ones have had no slot in sight.
        var stuckSince: Moment?

        /// Slots that will not be free soon.
        var pinned: Int { cost.isFast ? overdue : slots }

        /// How many jobs of the kind may be claimed and waiting at most.
        var most: Int { min(2 * Limits.leaseJobs, max(Int(IntakeState.bytesAhead / max(bytes, 1)), 1)) }
    }

    /// Args held in memory for jobs of one kind that are claimed ahead.
    private static let bytesAhead = 32.0 * 1_048_576
    /// How long an empty answer is believed whatever hints say, and an answer that emptied the log at least.
    private static let rest: Duration = .milliseconds(1)
    /// While many come one by one, claims and settlements compete with those who enqueue: the more a claim found, the later is
    /// the next. (16 clients beside a worker enqueued 0.79 of what they did alone with 1 ms between claims, 0.89 with 10.)
    private static let restPerJob: Duration = .microseconds(250)
    private static let longestRest: Duration = .milliseconds(10)
    /// How many poll intervals an empty answer is believed when the store is certain to hint.
    static let certainPolls = 5

    /// Jobs of one ``Suspicion``: few of them at a time. They hold slots of their kind like others; while they wait for their
    /// turn, they take no room from the others.
    private struct Suspects {
        let limit: Int
        var running = 0
        var waiting = 0
    }

    private let concurrency: Int
    private let poll: Duration
    private var kinds: [Kind]
    private var crowd: Crowd
    private var suspects: [Suspicion: Suspects] = [:]
    private var inFlight: Question?
    /// How many jobs it asked for.
    private var asked = 0
    private var last = Question.ahead
    private var quiet: [Question: Moment] = [:]
    /// Until when a question rests whatever hints say, after an answer that emptied the log.
    private var rests: [Question: Moment] = [:]
    private var hintedMeanwhile = false
    /// Whether what comes after the last answer comes with a hint, whatever its kind.
    private(set) var isCertain = false
    private var isStopped = false
    private var drain: Drain
    /// Looks for dead workers that are under way: their jobs may appear in the log at any moment.
    private var recoveries = 0

    /// - Parameters:
    ///   - suspects: how many jobs of grave suspicion at a time.
    ///   - crowding: kinds that are held back by a crowd.
    ///   - crowd: the least that one is.
    init(
        concurrency: Int, limits: [Int?], suspects: Int = 1, crowding: [Int] = [], crowd: Int = Crowd.least, poll: Duration,
        drain: Bool
    ) {
        for suspicion in Suspicion.allCases {
            let limit = suspicion.limit(concurrency: concurrency, alone: suspects)
            self.suspects[suspicion] = limit.map { Suspects(limit: $0) }
        }
        self.concurrency = concurrency
        self.poll = poll
        self.crowd = Crowd(least: crowd, most: concurrency)
        kinds = limits.map { Kind(limit: min($0 ?? concurrency, concurrency)) }
        for kind in crowding { kinds[kind].crowds = true }
        self.drain = drain ? .working : .off
    }

    // MARK: Deciding

    mutating func next(now: Moment) -> Action {
        if isStopped { return .stopped }
        if drain == .over { return .drained }
        guard inFlight == nil else { return .wait(nil) }
        if isIdle, isQuiet(.front, now) {
            switch drain {
            case .off: break
            case .working:
                drain = .confirming
                return .confirmQuiet
            case .confirming: return .wait(nil)
            case .lastLook:
                guard recoveries == 0 else { return .wait(nil) }
                drain = .over
                return .drained
            case .over: return .drained
            }
        }
        let order: [Question] = last == .front ? [.ahead, .front] : [.front, .ahead]
        for question in order where !isQuiet(question, now) {
            guard let plan = plan(question) else { continue }
            inFlight = question
            asked = min(plan.limit, plan.wants.reduce(0) { $0 + $1.limit })
            last = question
            hintedMeanwhile = false
            return .claim(plan)
        }
        return .wait(quiet.values.filter { $0 > now }.min())
    }

    private var isIdle: Bool {
        suspects.values.allSatisfy { $0.waiting == 0 } && kinds.allSatisfy { $0.slots == 0 && $0.buffered == 0 }
    }

    var isDraining: Bool { drain != .off }

    /// How many more may wait here for their turn; nil: all.
    func room(_ suspicion: Suspicion) -> Int? {
        suspects[suspicion].map { max(suspicion.most(waitingFor: $0.limit) - $0.waiting, 0) }
    }

    func limit(_ suspicion: Suspicion) -> Int { suspects[suspicion]?.limit ?? concurrency }

    private func isQuiet(_ question: Question, _ now: Moment) -> Bool { quiet[question].map { now < $0 } ?? false }

    /// Slots that are free or will be soon.
    private var ready: Int { max(concurrency - kinds.reduce(0) { $0 + $1.pinned }, 0) }

    private func plan(_ question: Question) -> Plan? {
        switch question {
        case .front: planFront()
        case .ahead: planAhead()
        }
    }

    private func planFront() -> Plan? {
        let waiting = kinds.reduce(0) { $0 + ($1.cost.isFast ? 0 : $1.buffered) }
        let room = min(ready - waiting, Limits.leaseJobs)
        guard room > 0 else { return nil }
        let wants = kinds.indices.compactMap { index -> Plan.Want? in
            let kind = kinds[index]
            // A fast kind with jobs at hand is the other question's business.
            if kind.cost.isFast && kind.buffered > 0 { return nil }
            let own = kind.limit - (kind.cost.isFast ? kind.overdue : kind.slots + kind.buffered)
            return own > 0 ? Plan.Want(kind: index, limit: min(own, room)) : nil
        }
        return wants.isEmpty ? nil : Plan(question: .front, wants: wants, limit: room)
    }

    private func planAhead() -> Plan? {
        let slots = ready
        guard slots > 0 else { return nil }
        let wants = kinds.indices.compactMap { index -> Plan.Want? in
            let kind = kinds[index]
            guard kind.cost.isFast else { return nil }
            let target = kind.cost.jobs(
                within: Cost.horizon, slots: min(kind.limit - kind.overdue, kind.crowds ? crowd.limit : slots, slots))
            // Not more than two leases, and not before half of it is used up: whole chunks, not many small ones.
            let most = min(target, kind.most)
            guard kind.buffered <= most / 2 else { return nil }
            let missing = min(most - kind.buffered, Limits.leaseJobs)
            return missing > 0 ? Plan.Want(kind: index, limit: missing) : nil
        }
        guard let most = wants.map(\.limit).max() else { return nil }
        return Plan(question: .ahead, wants: wants, limit: most)
    }

    // MARK: What happened

    /// - Parameters:
    ///   - jobs: how many the store gave; nil when it could not be asked.
    ///   - isCertain: what comes from now on comes with a hint, as far as the store knows.
    mutating func answered(jobs: Int?, isCertain: Bool = false, now: Moment) {
        guard let question = inFlight else { preconditionFailure("an answer to no question") }
        inFlight = nil
        self.isCertain = isCertain && jobs == 0
        guard let jobs else { return }
        if jobs > 0 {
            if drain == .lastLook { drain = .working }
            if jobs < asked, drain == .off {
                let rest = min(max(Self.restPerJob * jobs, Self.rest), Self.longestRest)
                for question in Question.allCases {
                    rests[question] = now + rest
                    quiet[question] = now + rest
                }
            }
        } else {
            rests[question] = now + Self.rest
            quiet[question] = now + (hintedMeanwhile ? Self.rest : isCertain ? poll * Self.certainPolls : poll)
        }
    }

    mutating func hinted() {
        hintedMeanwhile = true
        for (question, moment) in rests where quiet[question] != nil { quiet[question] = moment }
    }

    /// - Returns: false once the drain is over: what is found then is for others to find.
    mutating func beginRecovery() -> Bool {
        guard drain != .over else { return false }
        recoveries += 1
        return true
    }

    /// - Parameter jobs: how many are available again; nil when nobody knows.
    mutating func endRecovery(jobs: Int?) {
        recoveries -= 1
        guard jobs != 0 else { return }
        hinted()
        switch drain {
        case .confirming, .lastLook:
            drain = .working
            quiet = [:]
        case .off, .working, .over: break
        }
    }

    /// - Parameter moved: jobs that were recovered or due, and are available now; nil when the store could not be asked.
    mutating func confirmed(moved: Int?) {
        guard drain == .confirming else { return }
        drain = moved == 0 ? .lastLook : .working
        quiet = [:]
    }

    mutating func stop() { isStopped = true }

    // MARK: Counts

    /// Fewer take effect as slots come free.
    mutating func limit(_ kind: Int, to limit: Int) { kinds[kind].limit = min(max(limit, 1), concurrency) }

    func limit(_ kind: Int) -> Int { kinds[kind].limit }

    func slots(_ kind: Int) -> Int { kinds[kind].slots }

    mutating func buffered(_ kind: Int, _ change: Int, _ suspicion: Suspicion = .none) {
        if suspicion == .none { kinds[kind].buffered += change } else { suspects[suspicion]?.waiting += change }
    }

    /// A lease came.
    mutating func leased(_ kind: Int, jobs: Int, bytes: Int) {
        guard jobs > 0 else { return }
        buffered(kind, jobs)
        let size = Double(bytes) / Double(jobs)
        kinds[kind].bytes = max(size, kinds[kind].bytes * 0.75 + size * 0.25)
    }

    /// How many jobs a runner may take of a kind now; zero: none.
    func share(_ kind: Int, _ suspicion: Suspicion = .none) -> Int {
        isCrowd(for: kind, suspicion) ? 0 : room(kind, suspicion)
    }

    /// Whether such jobs wait for nothing but a thread without work, or for others of the crowd to end.
    func holdsBack(_ kind: Int, _ suspicion: Suspicion = .none) -> Bool {
        isCrowd(for: kind, suspicion) && room(kind, suspicion) > 0
    }

    private func isCrowd(for kind: Int, _ suspicion: Suspicion) -> Bool {
        guard suspicion == .none, isCrowd else { return false }
        let state = kinds[kind]
        return state.crowds && state.cost.isFast && state.slots - state.overdue >= crowd.share(kinds.count(where: \.crowds))
    }

    /// Whether as many short jobs are under way as there should be while all threads have work.
    var isCrowd: Bool { underWay >= crowd.limit }

    /// What has outlasted the horizon is no longer short, and may never end.
    private var underWay: Int {
        kinds.reduce(0) { $0 + ($1.crowds && $1.cost.isFast ? $1.slots - $1.overdue : 0) }
    }

    /// A thread has nothing to do while jobs are held back.
    mutating func idle() { crowd.idle(underWay: underWay) }

    mutating func look(lag: Duration) { crowd.look(lag: lag) }

    /// The kind's jobs run on threads of their own from now on.
    mutating func moved(_ kind: Int) { kinds[kind].crowds = false }

    private func room(_ kind: Int, _ suspicion: Suspicion) -> Int {
        let state = kinds[kind]
        guard state.slots < state.limit, kinds.reduce(0, { $0 + $1.slots }) < concurrency else { return 0 }
        guard suspicion != .none, let suspects = suspects[suspicion] else { return state.cost.helping }
        return suspects.running < suspects.limit ? 1 : 0
    }

    mutating func took(_ kind: Int, jobs: Int, _ suspicion: Suspicion = .none) {
        kinds[kind].slots += 1
        if suspicion != .none { suspects[suspicion]?.running += 1 }
        buffered(kind, -jobs, suspicion)
    }

    mutating func left(_ kind: Int, wasOverdue: Bool, _ suspicion: Suspicion = .none) {
        kinds[kind].slots -= 1
        if wasOverdue { kinds[kind].overdue -= 1 }
        if suspicion != .none { suspects[suspicion]?.running -= 1 }
    }

    mutating func overdue(_ kind: Int) { kinds[kind].overdue += 1 }

    mutating func measured(_ kind: Int, jobs: Int, total: Duration) { kinds[kind].cost.measure(jobs: jobs, total: total) }

    /// Kinds whose claimed jobs have waited too long behind slots that do not come free: others shall have them. Claims foresee
    /// this by what was measured; a job that suddenly takes longer is what they cannot foresee.
    mutating func stuck(now: Moment) -> [Int] {
        let ready = ready
        var stuck: [Int] = []
        for index in kinds.indices {
            let kind = kinds[index]
            if kind.buffered == 0 || min(ready, kind.limit - kind.pinned) > 0 {
                kinds[index].stuckSince = nil
            } else if let since = kind.stuckSince {
                if now >= since + Self.patience { stuck.append(index) }
            } else {
                kinds[index].stuckSince = now
            }
        }
        return stuck
    }

    private static let patience: Duration = .seconds(1)

    /// Whether ``next(now:)`` would do something now, so that whoever waits for its answer is to ask again.
    func isHungry(now: Moment) -> Bool {
        guard inFlight == nil, !isStopped else { return false }
        if drain != .off, isIdle { return true }
        return Question.allCases.contains { !isQuiet($0, now) && plan($0) != nil }
    }
}
