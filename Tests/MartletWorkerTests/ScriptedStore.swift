import Dispatch
import MartletCore
import MartletStore
import Synchronization

/// Answers as the test says, and remembers what it was told. Not a store: it knows no states, times or fences of its own.
final class ScriptedStore: JobStore {
    struct Script {
        var waiting: [String: [LeasedJob]] = [:]
        /// What every call but the ones in `reachable` throws while it is set.
        var outage: StoreError?
        /// Settled as lost.
        var lost: Set<LeaseID> = []
        var cancelRequests: [CancelRequest] = []
        var dead: Set<WorkerID> = []
        /// Answers of `promote`, in order; then nothing is due.
        var promotions: [PromotionReply] = []
        var removals: [Int] = []
        /// `settle` waits while it is true.
        var holdsSettlements = false
        /// `claim` never comes back while it is true.
        var holdsClaims = false
        var hintsAreCertain = false

        var lastLease: Int64 = 0
        var lastWorker: Int64 = 0
        var lastJob: Int64 = 0

        var claims: [ClaimRequest] = []
        /// Of each claim, whether it was asked on the claim thread.
        var claimPlaces: [Bool] = []
        var leases: [Lease] = []
        var settlements: [Settlement] = []
        var flushes: [Int] = []
        var progress: [JobProgress] = []
        /// What `lastReport` answers, and what workers said of themselves since.
        var lastReport: JSONText?
        var reports: [JSONText] = []
        var heartbeats = 0
        var registered: [WorkerID] = []
        var registrations: [WorkerRegistration] = []
        var deregistered: [WorkerID] = []
        var recoveries = 0
        var held: [CheckedContinuation<Void, Never>] = []
    }

    private let script = Mutex(Script())
    private let hints = HintBoard()
    private let thread: SomeThread?

    init(thread: SomeThread? = nil) { self.thread = thread }

    @discardableResult
    func change<T: Sendable>(_ body: (inout sending Script) -> sending T) -> T { script.withLock { body(&$0) } }

    var settlements: [Settlement] { change { $0.settlements } }
    var endings: [JobID: Ending] {
        change { script in
            let leases = Dictionary(uniqueKeysWithValues: script.leases.map { ($0.id, $0) })
            return Dictionary(
                script.settlements.map { (leases[$0.lease]!.jobs[$0.index].id, $0.ending) }, uniquingKeysWith: { $1 })
        }
    }

    /// - Returns: the ids.
    @discardableResult
    func add(
        _ count: Int, _ kind: String, attempt: Int = 1, maxAttempts: Int? = nil, timeout: Duration? = nil,
        expiresIn: Duration? = nil, args: JSONText = .emptyObject
    ) -> [JobID] {
        let ids = change { script in
            let ids = (0..<count).map { JobID(rawValue: script.lastJob + 1 + Int64($0)) }
            script.lastJob += Int64(count)
            script.waiting[kind, default: []] += ids.map {
                LeasedJob(
                    id: $0, attempt: attempt, crashes: 0, maxAttempts: maxAttempts, timeout: timeout,
                    expiresIn: expiresIn, enqueuedAt: Timestamp(microseconds: 0), args: args)
            }
            return ids
        }
        hints.announce()
        return ids
    }

    /// Ends whatever `holdsSettlements` or `holdsClaims` keeps waiting.
    func letGo() {
        let held = change { script in
            script.holdsSettlements = false
            script.holdsClaims = false
            defer { script.held = [] }
            return script.held
        }
        for continuation in held { continuation.resume() }
    }

    private func check() throws(StoreError) {
        if let outage = change({ $0.outage }) { throw outage }
    }

    private func hold(while holds: @Sendable (Script) -> Bool) async {
        guard change({ holds($0) }) else { return }
        await withCheckedContinuation { continuation in
            let goesOn = change { script in
                guard holds(script) else { return true }
                script.held.append(continuation)
                return false
            }
            if goesOn { continuation.resume() }
        }
    }

    func claim(_ request: ClaimRequest) async throws(StoreError) -> [Lease] {
        try check()
        await hold { $0.holdsClaims }
        let isInPlace = thread?.isHere == true
        return change { script in
            script.claims.append(request)
            script.claimPlaces.append(isInPlace)
            var left = request.limit
            var leases: [Lease] = []
            for want in request.wants {
                let count = min(want.limit, left, script.waiting[want.kind]?.count ?? 0)
                guard count > 0 else { continue }
                left -= count
                script.lastLease += 1
                let jobs = Array(script.waiting[want.kind]!.prefix(count))
                script.waiting[want.kind]!.removeFirst(count)
                leases.append(
                    Lease(
                        id: LeaseID(rawValue: script.lastLease), kind: want.kind, queue: "default", priority: .default,
                        jobs: jobs))
            }
            script.leases += leases
            return leases
        }
    }

    func settle(_ settlements: [Settlement]) async throws(StoreError) -> SettleReply {
        try check()
        await hold { $0.holdsSettlements }
        try check()
        return change { script in
            let lost = script.lost.intersection(settlements.map(\.lease))
            script.settlements += settlements.filter { !lost.contains($0.lease) }
            script.flushes.append(settlements.count)
            return SettleReply(lost: lost, repeated: 0)
        }
    }

    func register(_ worker: WorkerRegistration) async throws(StoreError) -> WorkerID {
        try check()
        return change { script in
            script.lastWorker += 1
            script.registrations.append(worker)
            script.registered.append(WorkerID(rawValue: script.lastWorker))
            return WorkerID(rawValue: script.lastWorker)
        }
    }

    func lastReport(name: String, host: String) async throws(StoreError) -> JSONText? {
        try check()
        return change { $0.lastReport }
    }

    func progress(_ reports: [JobProgress]) async throws(StoreError) -> Set<LeaseID> {
        try check()
        return change { script in
            script.progress += reports
            return script.lost.intersection(reports.map(\.lease))
        }
    }

    func heartbeat(_ worker: WorkerID, report: JSONText?) throws(StoreError) -> HeartbeatReply {
        try check()
        return change { script in
            script.heartbeats += 1
            if let report { script.reports.append(report) }
            return HeartbeatReply(alive: !script.dead.contains(worker), cancelled: script.cancelRequests)
        }
    }

    func deregister(_ worker: WorkerID) async throws(StoreError) {
        try check()
        change { $0.deregistered.append(worker) }
    }

    func recover() async throws(StoreError) -> RecoveryReply {
        try check()
        change { $0.recoveries += 1 }
        return RecoveryReply(workers: [], revokedLeases: 0, recoveredJobs: 0)
    }

    func promote(limit: Int) async throws(StoreError) -> PromotionReply {
        try check()
        return change { script in
            script.promotions.isEmpty ? PromotionReply(moved: 0, nextDue: nil) : script.promotions.removeFirst()
        }
    }

    func retain(_ policy: RetentionPolicy, limit: Int) async throws(StoreError) -> Int {
        try check()
        return change { $0.removals.isEmpty ? 0 : $0.removals.removeFirst() }
    }

    func stats() async throws(StoreError) -> StoreStats {
        try check()
        let waiting = change { $0.waiting.values.reduce(0) { $0 + $1.count } }
        return StoreStats(
            counts: Dictionary(uniqueKeysWithValues: JobState.allCases.map { ($0, $0 == .available ? waiting : 0) }),
            oldestAvailable: nil)
    }

    func onHint(_ tell: @escaping @Sendable () -> Void, ended: @escaping @Sendable () -> Void) -> HintWatch {
        hints.listen(tell, ended: ended)
    }
    var claimThread: (any TaskExecutor)? { thread }
    var hintsAreCertain: Bool { script.withLock { $0.hintsAreCertain } }
    var seesDeath: Bool { true }

    // A worker calls none of the rest.
    private var notAsked: StoreError { StoreError(.internal, "a worker does not call this") }
    func enqueue(_ jobs: [NewJob]) async throws(StoreError) -> [JobID] { throw notAsked }
    func pause(queue: String, _ isPaused: Bool) async throws(StoreError) -> Bool { throw notAsked }

    func repair(
        _ repair: Repair, _ ids: [JobID], only states: Set<JobState>?, dryRun: Bool, attempts: Int?
    ) async throws(StoreError) -> RepairReply { throw notAsked }
    func candidates(
        _ repair: Repair, _ states: Set<JobState>, _ filter: JobFilter
    ) async throws(StoreError) -> [JobID] { throw notAsked }
    func job(_ id: JobID) async throws(StoreError) -> JobDetail? { throw notAsked }
    func list(_ query: JobQuery) async throws(StoreError) -> JobPage { throw notAsked }
    func failures(limit: Int) async throws(StoreError) -> [FailureGroup] { throw notAsked }
    func queues() async throws(StoreError) -> [QueueSummary] { throw notAsked }
    func workers() async throws(StoreError) -> [WorkerSummary] { throw notAsked }
    func diagnose() async throws(StoreError) -> [Finding] { throw notAsked }
    func close() async {}
}

/// One thing at a time, and known by those who are there.
final class SomeThread: TaskExecutor {
    private let queue = DispatchQueue(label: "claims")
    private let key = DispatchSpecificKey<Bool>()

    init() { queue.setSpecific(key: key, value: true) }

    var isHere: Bool { DispatchQueue.getSpecific(key: key) == true }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
