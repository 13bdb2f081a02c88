import MartletCore
import MartletStore
import Synchronization

/// A store whose first look for dead workers takes as long as the test wants; all else is as always.
final class LateRecovery: JobStore {
    private let store: any JobStore
    private let gate: Gate
    private let isFirst = Atomic(true)

    init(store: any JobStore, gate: Gate) {
        self.store = store
        self.gate = gate
    }

    func recover() async throws(StoreError) -> RecoveryReply {
        if isFirst.exchange(false, ordering: .relaxed) { await gate.pass(deaf: true) }
        return try await store.recover()
    }

    func enqueue(_ jobs: [NewJob]) async throws(StoreError) -> [JobID] { try await store.enqueue(jobs) }
    func claim(_ request: ClaimRequest) async throws(StoreError) -> [Lease] { try await store.claim(request) }
    func settle(_ settlements: [Settlement]) async throws(StoreError) -> SettleReply { try await store.settle(settlements) }
    func register(_ worker: WorkerRegistration) async throws(StoreError) -> WorkerID { try await store.register(worker) }
    func progress(_ reports: [JobProgress]) async throws(StoreError) -> Set<LeaseID> { try await store.progress(reports) }
    func lastReport(name: String, host: String) async throws(StoreError) -> JSONText? {
        try await store.lastReport(name: name, host: host)
    }
    func heartbeat(_ worker: WorkerID, report: JSONText?) throws(StoreError) -> HeartbeatReply {
        try store.heartbeat(worker, report: report)
    }
    func deregister(_ worker: WorkerID) async throws(StoreError) { try await store.deregister(worker) }
    func promote(limit: Int) async throws(StoreError) -> PromotionReply { try await store.promote(limit: limit) }
    func repair(
        _ repair: Repair, _ ids: [JobID], only states: Set<JobState>?, dryRun: Bool
    ) async throws(StoreError) -> RepairReply { try await store.repair(repair, ids, only: states, dryRun: dryRun) }
    func candidates(
        _ repair: Repair, _ states: Set<JobState>, _ filter: JobFilter
    ) async throws(StoreError) -> [JobID] { try await store.candidates(repair, states, filter) }
    func job(_ id: JobID) async throws(StoreError) -> JobDetail? { try await store.job(id) }
    func list(_ query: JobQuery) async throws(StoreError) -> JobPage { try await store.list(query) }
    func failures(limit: Int) async throws(StoreError) -> [FailureGroup] { try await store.failures(limit: limit) }
    func stats() async throws(StoreError) -> StoreStats { try await store.stats() }
    func queues() async throws(StoreError) -> [QueueSummary] { try await store.queues() }
    func workers() async throws(StoreError) -> [WorkerSummary] { try await store.workers() }
    func retain(_ policy: RetentionPolicy, limit: Int) async throws(StoreError) -> Int {
        try await store.retain(policy, limit: limit)
    }
    func hints() -> AsyncStream<Void> { store.hints() }
    func diagnose() async throws(StoreError) -> [Finding] { try await store.diagnose() }
    func close() async { await store.close() }
}
