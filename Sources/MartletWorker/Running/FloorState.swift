import Foundation
import MartletCore
import MartletStore
import Synchronization

/// Everything that runs or is about to: the registration, the claimed jobs, the slots. Under the floor's lock.
struct FloorState {
    struct Session {
        let number: Int
        let worker: WorkerID
        let registeredAt: Moment
        var trust: LeaseTrust
    }

    struct Entry {
        let slot: Slot
        var kind: Int
        var isSuspect: Bool
        var isOverdue = false
    }

    /// What is to be done after the lock was left.
    struct Aftermath {
        var start: [Slot] = []
        var cancel: [Slot] = []
        var settle: [Settlement] = []
        var abandoned: [(Chunk, Int)] = []
        /// Of a cancellation: how many slots were looked at.
        var looked = 0
    }

    let handlers: [Handler]
    private(set) var session: Session?
    /// A registration that was given up, and whose leases the store may still count as ours.
    private(set) var abandoned: WorkerID?
    private(set) var entries: [Int: Entry] = [:]
    var intake: IntakeState
    private var buffer = JobBuffer()
    private var lastSession = 0
    private var lastSlot = 0
    private(set) var isStopping = false
    /// When the suspect comes back that was put off last.
    private var putOffUntil: Moment?
    let pools: HandlerPools
    /// Slots to be looked at each time: their job may turn out long, or has been told to stop.
    private var fresh: Set<Int> = []
    /// For the others, when their job's time will be up. There may be very many that only wait.
    private var alarms = Alarms()
    private(set) var blocking: BlockingKinds
    var paces: Paces
    var vitals: Vitals

    init(handlers: [Handler], configuration: WorkerConfiguration, pools: HandlerPools = HandlerPools()) {
        self.handlers = handlers
        self.pools = pools
        blocking = BlockingKinds(handlers)
        intake = IntakeState(
            concurrency: configuration.concurrency,
            limits: handlers.map {
                $0.most(of: configuration.concurrency, blockingThreads: configuration.blockingThreads)
            }, suspects: configuration.suspects, poll: configuration.poll, drain: configuration.drain)
        paces = Paces(
            handlers, concurrency: configuration.concurrency, blockingThreads: configuration.blockingThreads,
            processors: ProcessInfo.processInfo.activeProcessorCount, now: .now)
        vitals = Vitals(threads: pools.most, now: .now)
        for (kind, limit) in paces.limits { intake.limit(kind, to: limit) }
    }

    // MARK: Registration

    mutating func registered(_ worker: WorkerID, lease: Duration, at moment: Moment) {
        lastSession += 1
        abandoned = nil
        session = Session(
            number: lastSession, worker: worker, registeredAt: moment, trust: LeaseTrust(lease: lease, renewedAt: moment))
    }

    mutating func renewed(session number: Int, startedAt: Moment) {
        if session?.number == number { session?.trust.renew(startedAt: startedAt) }
    }

    /// Ends the registration: what is claimed is dropped, what runs is stopped, and nothing of it is settled. Endings that are
    /// on their way already stay: the store's fence decides about them, and where it lets them in no work is repeated.
    mutating func lose(session number: Int, now: Moment) -> Aftermath? {
        guard let lost = session, lost.number == number else { return nil }
        abandoned = lost.worker
        session = nil
        return drop(now: now) { _ in true }
    }

    mutating func lose(leases: Set<LeaseID>, now: Moment) -> Aftermath { drop(now: now) { leases.contains($0.lease.id) } }

    private mutating func drop(now: Moment, _ matches: (Chunk) -> Bool) -> Aftermath {
        var aftermath = Aftermath()
        for work in buffer.removeAll(where: { matches($0.chunk) }) { unbuffered(work) }
        for entry in entries.values {
            let isStopped = entry.slot.state.withLock { slot in
                guard matches(slot.work.chunk) else { return false }
                _ = slot.release()
                return slot.stop(.lost, now: now)
            }
            if isStopped { stopped(entry.slot, &aftermath) }
        }
        return aftermath
    }

    // MARK: Claims

    mutating func next(now: Moment) -> IntakeState.Action { intake.next(now: now) }

    mutating func unanswered(now: Moment) { intake.answered(jobs: nil, now: now) }

    mutating func hinted() { intake.hinted() }

    mutating func confirmed(moved: Int?) { intake.confirmed(moved: moved) }

    mutating func beginRecovery() -> Bool { intake.beginRecovery() }

    mutating func endRecovery(jobs: Int?) { intake.endRecovery(jobs: jobs) }

    /// Takes in what a claim of that registration brought.
    mutating func accept(
        _ leases: [Lease], session number: Int, isCertain: Bool = false, now: Moment
    ) -> Aftermath {
        intake.answered(jobs: leases.reduce(0) { $0 + $1.jobs.count }, isCertain: isCertain, now: now)
        // Nothing of a lost registration is ours to run or to give back.
        guard session?.number == number else { return Aftermath() }
        var aftermath = Aftermath()
        for lease in leases {
            guard let kind = handlers.firstIndex(where: { $0.kind == lease.kind }) else {
                preconditionFailure("the store gave \(lease.kind), which was not asked for")
            }
            let chunk = Chunk(lease: lease, kind: kind, session: number, claimedAt: now)
            if isStopping {
                let work = Work(chunk: chunk, range: lease.jobs.indices)
                aftermath.settle += work.settlements(.givenBack, retry: handlers[kind].retry)
            } else {
                take(in: chunk, now: now, &aftermath)
            }
        }
        aftermath.start = fill()
        return aftermath
    }

    private mutating func take(in chunk: Chunk, now: Moment, _ aftermath: inout Aftermath) {
        let hasSuspects = handlers[chunk.kind].isolated != nil && chunk.lease.jobs.contains { $0.crashes > 0 }
        let pieces = hasSuspects ? Work.pieces(of: chunk) : [Work(chunk: chunk, range: chunk.lease.jobs.indices)]
        for var work in pieces {
            if work.isSuspect, !intake.isDraining {
                let most = work.range.prefix(intake.roomForSuspects)
                putOff(Work(chunk: chunk, range: most.upperBound..<work.range.upperBound), now: now, &aftermath)
                work.range = most
            }
            buffer.append(work)
            if work.isSuspect {
                intake.buffered(chunk.kind, work.count, isSuspect: true)
            } else {
                let bytes = chunk.lease.jobs[work.range].reduce(0) { $0 + $1.args.utf8.count }
                intake.leased(chunk.kind, jobs: work.count, bytes: bytes)
            }
        }
    }

    private mutating func unbuffered(_ work: Work) {
        intake.buffered(work.chunk.kind, -work.count, isSuspect: work.isSuspect)
    }

    // MARK: Slots

    /// Fills free slots with what is claimed.
    mutating func fill() -> [Slot] {
        var started: [Slot] = []
        while let work = take() {
            lastSlot += 1
            let slot = Slot(number: lastSlot, work: work, threads: threads(work))
            enter(slot, work)
            started.append(slot)
        }
        return started
    }

    private func threads(_ work: Work) -> HandlerThreads { pools[blocking.place(of: work.chunk.kind)] }

    private mutating func enter(_ slot: Slot, _ work: Work) {
        entries[slot.number] = Entry(slot: slot, kind: work.chunk.kind, isSuspect: work.isSuspect)
        fresh.insert(slot.number)
        alarms.remove(slot.number)
    }

    @discardableResult
    private mutating func remove(_ number: Int) -> Entry? {
        fresh.remove(number)
        alarms.remove(number)
        return entries.removeValue(forKey: number)
    }

    /// Its job was told to stop, so that it may have to be written off soon.
    private mutating func stopped(_ slot: Slot, _ aftermath: inout Aftermath) {
        aftermath.cancel.append(slot)
        fresh.insert(slot.number)
    }

    private mutating func take() -> Work? {
        let intake = intake
        guard let work = buffer.take(share: { intake.share($0.chunk.kind, isSuspect: $0.isSuspect) }) else { return nil }
        self.intake.took(work.chunk.kind, jobs: work.count, isSuspect: work.isSuspect)
        return work
    }

    /// A runner is through with what it took.
    /// - Returns: what it does next; nil: it ends.
    mutating func again(_ slot: Slot, jobs: Int, total: Duration) -> Work? {
        guard let entry = entries[slot.number] else { return nil }
        left(entry, jobs: jobs, total: total)
        guard let work = take() else {
            remove(slot.number)
            return nil
        }
        if work.chunk.kind != entry.kind || handlers[entry.kind].onBlock == .move { slot.move(to: threads(work)) }
        enter(slot, work)
        slot.state.withLock { $0.receive(work) }
        return work
    }

    private mutating func left(_ entry: Entry, jobs: Int = 0, total: Duration = .zero) {
        // A process of its own says nothing of how long jobs of the kind take.
        if !entry.isSuspect { intake.measured(entry.kind, jobs: jobs, total: total) }
        intake.left(entry.kind, wasOverdue: entry.isOverdue, wasSuspect: entry.isSuspect)
    }

    /// A runner ends, its task being cancelled, or its slot written off.
    mutating func leave(_ slot: Slot, jobs: Int, total: Duration) -> Aftermath {
        var aftermath = Aftermath()
        guard let entry = remove(slot.number) else { return aftermath }
        left(entry, jobs: jobs, total: total)
        putBack([slot.state.withLock { $0.release() }], &aftermath)
        aftermath.start = fill()
        return aftermath
    }

    private mutating func putBack(_ works: [Work], _ aftermath: inout Aftermath) {
        let works = works.filter { $0.count > 0 && $0.chunk.session == session?.number }
        if isStopping {
            for work in works { aftermath.settle += work.settlements(.givenBack, retry: handlers[work.chunk.kind].retry) }
        } else {
            buffer.putBack(works)
            for work in works { intake.buffered(work.chunk.kind, work.count, isSuspect: work.isSuspect) }
        }
    }

    // MARK: Watching

    /// Jobs in a slot behind one that already took this long go to other slots, and endings there to the settler.
    private static let holdUp: Duration = .milliseconds(5)

    mutating func watch(now: Moment) -> Aftermath {
        var aftermath = Aftermath()
        for number in fresh { look(number, now: now, &aftermath) }
        while let number = alarms.popDue(now: now) { look(number, now: now, &aftermath) }
        let counts = intake
        paces.look(slots: { counts.slots($0) }, now: now)
        for kind in intake.stuck(now: now) { giveBack(&aftermath) { $0.chunk.kind == kind && !$0.isSuspect } }
        putOff(now: now, &aftermath)
        aftermath.start = fill()
        return aftermath
    }

    /// What a kind did since the last look, where its limit depends on it. A process of its own says nothing of that.
    mutating func count(_ ended: [Settlement], of work: Work) {
        if !work.isSuspect { paces.count(ended, kind: work.chunk.kind) }
    }

    /// Judges what the last second showed.
    mutating func adapt(machine: AutoLimit.Machine, now: Moment) -> [Paces.Change] {
        let changes = paces.close(machine: machine, now: now)
        for (kind, limit) in paces.limits { intake.limit(kind, to: limit) }
        return changes
    }

    private mutating func look(_ number: Int, now: Moment, _ aftermath: inout Aftermath) {
        guard let entry = entries[number] else { return }
        let handler = handlers[entry.kind]
        let seen = entry.slot.state.withLock { $0.look(now: now, holdUp: Self.holdUp, handler: handler) }
        aftermath.settle += seen.ended
        if !entry.isSuspect { paces.count(seen.ended, kind: entry.kind) }
        if let rest = seen.rest { putBack([rest], &aftermath) }
        if seen.isStopped { stopped(entry.slot, &aftermath) }
        if let index = seen.writtenOff {
            aftermath.abandoned.append((seen.chunk, index))
            remove(number)
            left(entry)
        } else if let startedAt = seen.startedAt, now >= startedAt + Cost.horizon {
            if !entry.isOverdue {
                entries[number]?.isOverdue = true
                intake.overdue(entry.kind)
            }
            if seen.isStopping { return }
            fresh.remove(number)
            if let moment = seen.timesOut { alarms.set(number, at: moment) }
        }
    }

    /// What holds a thread that others wait for.
    /// - Returns: what to tell of it.
    mutating func held(_ holds: [HandlerThreads.Hold], now: Moment) -> [BlockingKinds.Report] {
        holds.compactMap { hold in
            guard let entry = entries[hold.slot.number] else { return nil }
            let run = hold.slot.state.withLock { slot in
                slot.holds(since: hold.since).map { (slot.work.chunk.lease.jobs[$0.index].id, $0.since) }
            }
            guard let (job, since) = run else { return nil }
            return blocking.report(kind: entry.kind, job: job, since: since, now: now)
        }
    }

    /// Counts the threads that are held by slots which were written off.
    /// - Returns: where these are all there may be, since now.
    mutating func lost(coroutines: [HandlerThreads.Hold], blocking: [HandlerThreads.Hold]) -> [HandlerPlace] {
        [(HandlerPlace.coroutines, coroutines), (.blocking, blocking)].filter { place, holds in
            vitals.lost(holds.count { entries[$0.slot.number] == nil }, place)
        }.map(\.0)
    }

    /// How long suspects wait for their turn here, and at least how long they are then left to others.
    private static let suspectsWait: Duration = .seconds(10)
    private static let longestPut: Duration = .seconds(3_600)

    /// Suspects whose turn does not come here: other workers shall have theirs. Given back they would be claimed again at once,
    /// and again; a drain has to see them end.
    private mutating func putOff(now: Moment, _ aftermath: inout Aftermath) {
        guard !intake.isDraining else { return }
        for work in buffer.removeAll(where: { $0.isSuspect && now >= $0.chunk.claimedAt + Self.suspectsWait }) {
            unbuffered(work)
            putOff(work, now: now, &aftermath)
        }
    }

    /// When a worker with very many jobs dies, they are all suspects. They come back one after the other, about as fast as they
    /// can be run, since each time costs the store a row.
    private mutating func putOff(_ work: Work, now: Moment, _ aftermath: inout Aftermath) {
        for index in work.range {
            let next = max(putOffUntil ?? now, now + Self.suspectsWait)
            putOffUntil = min(next + .seconds(1) / intake.suspectsLimit, now + Self.longestPut)
            let one = Work(chunk: work.chunk, range: index..<index + 1)
            aftermath.settle += one.settlements(.snoozed(next - now), retry: handlers[work.chunk.kind].retry)
        }
    }

    private mutating func giveBack(_ aftermath: inout Aftermath, where matches: (Work) -> Bool) {
        for work in buffer.removeAll(where: matches) {
            unbuffered(work)
            aftermath.settle += work.settlements(.givenBack, retry: handlers[work.chunk.kind].retry)
        }
    }

    // MARK: Stopping

    /// A person asked for these. One that has ended meanwhile is left alone.
    ///
    /// Each slot is looked at once, however many requests there are: there may be very many of both.
    mutating func cancel(_ requests: [CancelRequest], now: Moment) -> Aftermath {
        var aftermath = Aftermath()
        var wanted: [LeaseID: Set<Int>] = [:]
        for request in requests { wanted[request.lease, default: []].insert(request.index) }
        var released: [Work] = []
        for entry in entries.values {
            aftermath.looked += 1
            let (rest, isStopped) = entry.slot.state.withLock { slot -> (Work?, Bool) in
                guard let indexes = wanted[slot.work.chunk.lease.id] else { return (nil, false) }
                let isStopped = slot.runningIndex.map(indexes.contains) ?? false ? slot.stop(.cancelled, now: now) : false
                return (slot.work.range.contains(where: indexes.contains) ? slot.release() : nil, isStopped)
            }
            if let rest { released.append(rest) }
            if isStopped { stopped(entry.slot, &aftermath) }
        }
        putBack(released, &aftermath)
        for work in buffer.remove(wanted) {
            unbuffered(work)
            aftermath.settle += work.settlements(.cancelled, retry: handlers[work.chunk.kind].retry)
        }
        aftermath.start = fill()
        return aftermath
    }

    /// No more jobs begin; those that are claimed go back.
    mutating func stop() -> Aftermath {
        isStopping = true
        intake.stop()
        var aftermath = Aftermath()
        putBack(entries.values.map { entry in entry.slot.state.withLock { $0.release() } }, &aftermath)
        giveBack(&aftermath) { _ in true }
        return aftermath
    }

    mutating func interrupt(now: Moment) -> Aftermath {
        var aftermath = Aftermath()
        for entry in entries.values where entry.slot.state.withLock({ $0.stop(.interrupted, now: now) }) {
            stopped(entry.slot, &aftermath)
        }
        return aftermath
    }
}
