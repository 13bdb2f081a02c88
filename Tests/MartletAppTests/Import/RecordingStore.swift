import MartletCore
import MartletStore
import Synchronization

/// Takes enqueued jobs and gives out ids; every other verb is a mistake of the test. It can refuse a call, and it sees
/// things a database hides: the size of each call, and whether two overlap.
final class RecordingStore: JobStore {
    struct Record: Sendable {
        let kind: String
        let queue: String
        let priority: Int
        let args: String
        let start: NewJob.Start
        let maxAttempts: Int?
        let timeout: Duration?
    }

    private struct State {
        var records: [Record] = []
        var calls: [Int] = []
        var count = 0
        var active = 0
        var overlapped = false
    }

    private let state = Mutex(State())
    private let keeping: Bool
    private let refuse: @Sendable (_ call: Int) -> StoreError?
    private let inside: @Sendable (_ call: Int) async -> Void

    /// - Parameters:
    ///   - keeping: false counts the jobs only.
    ///   - refuse: an error for the nth call, from 1.
    ///   - inside: runs within each call.
    init(
        keeping: Bool = true, refuse: @escaping @Sendable (Int) -> StoreError? = { _ in nil },
        inside: @escaping @Sendable (Int) async -> Void = { _ in }
    ) {
        self.keeping = keeping
        self.refuse = refuse
        self.inside = inside
    }

    var records: [Record] { state.withLock { $0.records } }
    var args: [String] { records.map(\.args) }
    /// How many jobs each call had.
    var calls: [Int] { state.withLock { $0.calls } }
    var count: Int { state.withLock { $0.count } }
    var overlapped: Bool { state.withLock { $0.overlapped } }

    func enqueue(_ jobs: [NewJob]) async throws(StoreError) -> [JobID] {
        let call = state.withLock { state in
            state.active += 1
            state.overlapped = state.overlapped || state.active > 1
            return state.calls.count + 1
        }
        await inside(call)
        let error = refuse(call)
        let ids = state.withLock { state -> [JobID] in
            state.active -= 1
            state.calls.append(jobs.count)
            guard error == nil else { return [] }
            if keeping { state.records += jobs.map(Self.record) }
            state.count += jobs.count
            return (state.count - jobs.count + 1...state.count).map { JobID(rawValue: Int64($0)) }
        }
        if let error { throw error }
        return ids
    }

    private static func record(_ job: NewJob) -> Record {
        Record(
            kind: job.kind, queue: job.queue, priority: job.priority.rawValue, args: job.args.string, start: job.start,
            maxAttempts: job.maxAttempts, timeout: job.timeout)
    }

    private static let unexpected = StoreError(.internal, "an import only enqueues")

    func claim(_ request: ClaimRequest) async throws(StoreError) -> [Lease] { throw Self.unexpected }
    func settle(_ settlements: [Settlement]) async throws(StoreError) -> SettleReply { throw Self.unexpected }
    func register(_ worker: WorkerRegistration) async throws(StoreError) -> WorkerID { throw Self.unexpected }
    func lastReport(name: String, host: String) async throws(StoreError) -> JSONText? { throw Self.unexpected }
    func progress(_ reports: [JobProgress]) async throws(StoreError) -> Set<LeaseID> { throw Self.unexpected }
    func heartbeat(_ worker: WorkerID, report: JSONText?) throws(StoreError) -> HeartbeatReply { throw Self.unexpected }
    func deregister(_ worker: WorkerID) async throws(StoreError) { throw Self.unexpected }
    func recover() async throws(StoreError) -> RecoveryReply { throw Self.unexpected }
    func promote(limit: Int) async throws(StoreError) -> PromotionReply { throw Self.unexpected }
    func repair(
        _ repair: Repair, _ ids: [JobID], only states: Set<JobState>?, dryRun: Bool
    ) async throws(StoreError) -> RepairReply { throw Self.unexpected }
    func candidates(
        _ repair: Repair, _ states: Set<JobState>, _ filter: JobFilter
    ) async throws(StoreError) -> [JobID] { throw Self.unexpected }
    func job(_ id: JobID) async throws(StoreError) -> JobDetail? { throw Self.unexpected }
    func list(_ query: JobQuery) async throws(StoreError) -> JobPage { throw Self.unexpected }
    func failures(limit: Int) async throws(StoreError) -> [FailureGroup] { throw Self.unexpected }
    func stats() async throws(StoreError) -> StoreStats { throw Self.unexpected }
    func queues() async throws(StoreError) -> [QueueSummary] { throw Self.unexpected }
    func workers() async throws(StoreError) -> [WorkerSummary] { throw Self.unexpected }
    func retain(_ policy: RetentionPolicy, limit: Int) async throws(StoreError) -> Int { throw Self.unexpected }
    func hints() -> AsyncStream<Void> { AsyncStream { $0.finish() } }
    func diagnose() async throws(StoreError) -> [Finding] { throw Self.unexpected }
    func close() async {}
}
