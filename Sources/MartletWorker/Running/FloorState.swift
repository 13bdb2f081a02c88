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
        var suspicion: Suspicion
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
    var session: Session?
    /// A registration that was given up, and whose leases the store may still count as ours.
    var abandoned: WorkerID?
    var entries: [Int: Entry] = [:]
    var intake: IntakeState
    var buffer = JobBuffer()
    var lastSession = 0
    var lastSlot = 0
    var isStopping = false
    /// When the suspect comes back that was put off last.
    var putOffUntil: [Suspicion: Moment] = [:]
    /// Jobs of slight suspicion have just been put off, and none of the others begins before that is written: should one of
    /// them end the worker at once, it would be held against all.
    private(set) var isSparing = false
    /// Jobs are held back by a crowd, and the threads have been asked to say when one of them has nothing to do.
    var isHolding = false
    let pools: HandlerPools
    /// What all runs here have in common.
    private let surroundings: HandlerCall.Surroundings
    /// Slots to be looked at each time: their job may turn out long, or has been told to stop.
    var fresh: Set<Int> = []
    /// For the others, when their job's time will be up. There may be very many that only wait.
    var alarms = Alarms()
    var blocking: BlockingKinds
    var paces: Paces
    var vitals: Vitals

    init(
        handlers: [Handler], configuration: WorkerConfiguration, pools: HandlerPools = HandlerPools(),
        surroundings: HandlerCall.Surroundings = HandlerCall.Surroundings()
    ) {
        self.handlers = handlers
        self.pools = pools
        self.surroundings = surroundings
        blocking = BlockingKinds(handlers)
        intake = IntakeState(
            concurrency: configuration.concurrency,
            limits: handlers.map {
                $0.most(of: configuration.concurrency, blockingThreads: configuration.blockingThreads)
            }, suspects: configuration.suspects, crowding: handlers.indices.filter { handlers[$0].crowds },
            crowd: configuration.crowd, poll: configuration.poll, drain: configuration.drain)
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

    mutating func drop(now: Moment, _ matches: (Chunk) -> Bool) -> Aftermath {
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
            let common = HandlerCall.Common(lease, of: handlers[kind], surroundings)
            let chunk = Chunk(common, kind: kind, session: number, claimedAt: now)
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

    mutating func take(in chunk: Chunk, now: Moment, _ aftermath: inout Aftermath) {
        let hasSuspects = handlers[chunk.kind].isolated != nil && chunk.lease.jobs.contains { $0.crashes > 0 }
        let pieces = hasSuspects ? Work.pieces(of: chunk) : [Work(chunk: chunk, range: chunk.lease.jobs.indices)]
        for var work in pieces {
            if let room = intake.room(work.suspicion), !intake.isDraining {
                let most = work.range.prefix(room)
                var rest = work
                rest.range = most.upperBound..<work.range.upperBound
                putOff(rest, now: now, &aftermath)
                if rest.count > 0, rest.suspicion == .slight { isSparing = true }
                work.range = most
            }
            buffer.append(work)
            if work.suspicion != .none {
                intake.buffered(chunk.kind, work.count, work.suspicion)
            } else {
                let bytes = chunk.lease.jobs[work.range].reduce(0) { $0 + $1.args.utf8.count }
                intake.leased(chunk.kind, jobs: work.count, bytes: bytes)
            }
        }
    }

    /// What was put off is written.
    mutating func spared() -> Aftermath {
        isSparing = false
        var aftermath = Aftermath()
        aftermath.start = fill()
        return aftermath
    }

    mutating func unbuffered(_ work: Work) {
        intake.buffered(work.chunk.kind, -work.count, work.suspicion)
    }
}
