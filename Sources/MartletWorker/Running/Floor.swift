import Logging
import MartletCore
import MartletStore
import Synchronization

/// Where jobs run: takes the lock, asks ``FloorState``, leaves the lock, acts.
final class Floor: Sendable {
    let handlers: [Handler]
    let herald: Herald
    let settler: Settler
    /// There may be something to claim.
    let hungry = Signal()
    /// Something was hinted at, and looked for among what can be claimed: that is what it mostly is, and what somebody waits for.
    let stirred = Signal()
    private let isStirred = Atomic(false)
    /// Looks after what runs, from outside the pool.
    let watch = Beat()
    /// Raised when the last runner ended.
    private let emptied: Signal
    private let configuration: WorkerConfiguration
    private let pools: HandlerPools
    private let canceller = Canceller()
    private let state: Mutex<FloorState>
    private let machine = Mutex(MachineGauge())
    private let adapts: [Bool]

    init(
        handlers: [Handler], configuration: WorkerConfiguration, logger: Logger, herald: Herald, settler: Settler,
        progress: ProgressBoard? = nil, emptied: Signal
    ) {
        self.handlers = handlers
        self.configuration = configuration
        self.herald = herald
        self.settler = settler
        self.emptied = emptied
        adapts = handlers.map(\.adapts)
        pools = HandlerPools(blockingThreads: configuration.blockingThreads)
        state = Mutex(
            FloorState(
                handlers: handlers, configuration: configuration, pools: pools,
                surroundings: HandlerCall.Surroundings(progress: progress, logger: logger)))
    }

    var session: FloorState.Session? { state.withLock { $0.session } }
    /// See ``FloorState/abandoned``.
    var abandoned: WorkerID? { state.withLock { $0.abandoned } }
    var isStopping: Bool { state.withLock { $0.isStopping } }
    /// Whether work for any kind comes with a hint, as far as can be known.
    var isCertain: Bool { state.withLock { $0.intake.isCertain } }
    var isEmpty: Bool { state.withLock { $0.entries.isEmpty } }

    // MARK: Claims

    func next() -> IntakeState.Action {
        let action = state.withLock { $0.next(now: .now) }
        switch action {
        case .wait: passOn()
        case .claim, .confirmQuiet, .drained, .stopped: break
        }
        return action
    }

    private func passOn() {
        if isStirred.exchange(false, ordering: .relaxed) { stirred.raise() }
    }

    func unanswered() { state.withLock { $0.unanswered(now: .now) } }

    func confirmed(moved: Int?) { state.withLock { $0.confirmed(moved: moved) } }

    /// - Returns: whether to go on with it.
    func beginRecovery() -> Bool { state.withLock { $0.beginRecovery() } }

    func endRecovery(jobs: Int?) {
        state.withLock { $0.endRecovery(jobs: jobs) }
        hungry.raise()
    }

    func hint() {
        state.withLock { $0.hinted() }
        isStirred.store(true, ordering: .relaxed)
        hungry.raise()
    }

    /// - Parameters:
    ///   - session: the registration the claim was made under.
    ///   - isCertain: what comes from now on comes with a hint.
    func accept(_ leases: [Lease], session: FloorState.Session, isCertain: Bool, now: Moment = .now) {
        // Without trust the leases may be somebody else's before a job has begun.
        if !(self.session.map { $0.trust.holds(now: now) } ?? false) { lose(session: session.number, .expired) }
        let (aftermath, wasEmpty) = state.withLock { state in
            let wasEmpty = state.entries.isEmpty
            return (state.accept(leases, session: session.number, isCertain: isCertain, now: now), wasEmpty)
        }
        carryOut(aftermath)
        if wasEmpty, !aftermath.start.isEmpty { watch.wake() }
        passOn()
    }

    /// Whether the registration is still the one that counts, and its leases are ours beyond doubt.
    func trusts(_ session: FloorState.Session, now: Moment) -> Bool {
        self.session.map { $0.number == session.number && $0.trust.holds(now: now) } ?? false
    }

    /// See ``FloorState/isSparing``.
    var isSparing: Bool { state.withLock { $0.isSparing } }

    func spared() {
        carryOut(state.withLock { $0.spared() })
        watch.wake()
    }

    // MARK: Registration

    func registered(_ worker: WorkerID, at moment: Moment) {
        state.withLock { $0.registered(worker, lease: configuration.lease, at: moment) }
    }

    func renewed(session: Int, startedAt: Moment) {
        state.withLock { $0.renewed(session: session, startedAt: startedAt) }
    }

    func lose(session: Int, _ loss: HeartbeatLoss) {
        guard let aftermath = state.withLock({ $0.lose(session: session, now: .now) }) else { return }
        herald.tell(.heartbeatLost(loss))
        carryOut(aftermath)
        hungry.raise()
    }

    func lose(leases: Set<LeaseID>) { carryOut(state.withLock { $0.lose(leases: leases, now: .now) }) }

    // MARK: Stopping

    func cancel(_ requests: [CancelRequest]) {
        guard !requests.isEmpty else { return }
        let aftermath = state.withLock { $0.cancel(requests, now: .now) }
        let count = aftermath.cancel.count + aftermath.settle.count
        if count > 0 { herald.tell(.cancelRequested(count)) }
        carryOut(aftermath)
    }

    func stop() {
        carryOut(state.withLock { $0.stop() })
        hungry.raise()
    }

    /// Threads go; handlers that were written off and still run keep theirs until they end.
    func close() { pools.close() }

    func interrupt() { carryOut(state.withLock { $0.interrupt(now: .now) }) }

    // MARK: Watching

    /// How far a timeout may be late, and how long a short job may wait behind one that turned out long.
    private static let tick: Duration = .milliseconds(20)

    /// One look at everything that runs.
    /// - Returns: when to look again; nil: when something runs again.
    func look() -> Duration? {
        let now = Moment.now
        if let session, !session.trust.holds(now: now) { lose(session: session.number, .expired) }
        let coroutines = pools.coroutines.look(now: now)
        let blocking = pools.blocking.look(now: now)
        canceller.look(now: now)
        let (aftermath, blocks, lost, pulse, isEmpty) = state.withLock { state in
            let aftermath = state.watch(lag: coroutines.lag, now: now)
            state.vitals.saw(lag: coroutines.lag)
            let blocks = state.held(coroutines.holds, now: now)
            let lost = state.lost(coroutines: coroutines.holds, blocking: blocking.holds)
            return (aftermath, blocks, lost, state.vitals.pulse(now: now), state.entries.isEmpty)
        }
        carryOut(aftermath)
        for block in blocks {
            herald.tell(.blocked(kind: block.kind, id: block.job, held: block.held, moves: block.moves))
        }
        tell(lost: lost)
        if let pulse { herald.tell(.pulse(lag: pulse.lag, memory: MachineGauge.resident())) }
        adapt(now: now)
        // A handler that was given up has no entry, and its thread is watched all the same: it may be the last one, or come back.
        return isEmpty && !coroutines.isBusy && !blocking.isBusy ? nil : Self.tick
    }

    private func tell(lost places: [HandlerPlace]) {
        for place in places { herald.tell(.threadsLost(place, threads: pools[place].most)) }
    }

    // MARK: Reporting

    /// What the worker says of itself.
    func report() -> WorkerReport {
        let memory = MachineGauge.memory()
        let now = Moment.now
        let holds = isEmpty ? (pools.coroutines.look(now: now).holds, pools.blocking.look(now: now).holds) : nil
        let (report, lost) = state.withLock { state in
            // The watch rests while nothing runs; a handler that was given up while it waited may hold a thread again by now.
            var lost: [HandlerPlace] = []
            if let holds, state.entries.isEmpty { lost = state.lost(coroutines: holds.0, blocking: holds.1) }
            return (state.report(memory: memory), lost)
        }
        tell(lost: lost)
        return report
    }

    /// The last report is written.
    func reported() { state.withLock { $0.vitals.reported() } }

    /// What an earlier worker had found.
    func remember(_ report: WorkerReport) { state.withLock { $0.remember(report) } }

    /// Whether what an earlier worker had found is of use.
    var remembers: Bool { adapts.contains(true) }

    private func adapt(now: Moment) {
        guard state.withLock({ $0.paces.isDue(now: now) }) else { return }
        // Reads files of the kernel, so under no lock that runners want.
        let machine = machine.withLock { $0.read() }
        for change in state.withLock({ $0.adapt(machine: machine, now: now) }) {
            herald.tell(
                .adapted(
                    kind: handlers[change.kind].kind, concurrency: change.decision.limit, reason: change.decision.reason))
        }
    }

    // MARK: Endings

    /// What a run says of its failure, without what is secret in it.
    func redacted(_ report: RunReport, _ job: LeasedJob) -> RunReport {
        var report = report
        let redaction = configuration.redaction
        switch report.outcome {
        case .completed, .snooze, .cancelled, .interrupted: break
        case .retry(let error, let delay): report.outcome = .retry(redaction.error(error, args: job.args), after: delay)
        case .discard(let error): report.outcome = .discard(redaction.error(error, args: job.args))
        case .crashed(let error): report.outcome = .crashed(redaction.error(error, args: job.args))
        }
        return report
    }

    // MARK: Acting

    func settle(_ slot: Slot, now: Moment) {
        let (ended, work) = slot.takeEnded()
        if adapts[work.chunk.kind], !ended.isEmpty { state.withLock { $0.count(ended, of: work) } }
        settler.add(ended, of: work.chunk, now: now)
    }

    private func carryOut(_ aftermath: FloorState.Aftermath) {
        settler.add(aftermath.settle)
        canceller.cancel(aftermath.cancel)
        for (chunk, index) in aftermath.abandoned {
            herald.tell(.abandoned(kind: chunk.lease.kind, id: chunk.lease.jobs[index].id, lease: chunk.lease.id))
        }
        for slot in aftermath.start where !slot.start(Runner(floor: self, slot: slot)) { canceller.cancel([slot]) }
        let (isHungry, isEmpty, holds) = state.withLock {
            ($0.intake.isHungry(now: .now), $0.entries.isEmpty, $0.begunHolding())
        }
        if isHungry { hungry.raise() }
        if isEmpty { emptied.raise() }
        if holds { hold() }
    }

    /// Jobs are held back until a thread has nothing to do. None of them is forgotten: whoever finds that some are held, under
    /// the floor's lock, comes here, and the threads' lock decides whether one of them has nothing to do already, or will find
    /// what is left here before it waits.
    private func hold() {
        if !pools.coroutines.whenIdle({ [self] in idle() }) { idle() }
    }

    /// As each time at least one job begins, this comes to an end where no thread finds work.
    private func idle() { carryOut(state.withLock { $0.idle() }) }

    /// - Returns: what the runner does next; nil: it ends.
    func again(_ slot: Slot, jobs: Int, total: Duration, now: Moment) -> Work? {
        let (work, isHungry, isEmpty, holds) = state.withLock { state in
            let work = state.again(slot, jobs: jobs, total: total)
            return (work, state.intake.isHungry(now: now), state.entries.isEmpty, state.begunHolding())
        }
        if isHungry { hungry.raise() }
        if isEmpty { emptied.raise() }
        if holds { hold() }
        return work
    }

    func leave(_ slot: Slot, jobs: Int, total: Duration) {
        carryOut(state.withLock { $0.leave(slot, jobs: jobs, total: total) })
    }
}
