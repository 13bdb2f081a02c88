import MartletCore

/// The seam between what Martlet does and where it keeps things. One conformance suite runs on every store.
///
/// What every store promises:
/// - **Durable**: when `enqueue`, `settle` or a repair returns, a power loss cannot undo it.
/// - **All or nothing**: a call that throws has changed nothing, with two exceptions that its error names: after
///   ``StoreError/Code/unknown`` the change may have happened, and a repair of a large selection is done in pieces.
/// - **Fenced**: only the lease id opens a settlement, and only while the lease is neither revoked nor that job settled.
/// - **The store owns time**: delays and expiry are counted by its clock, never by a caller's.
/// - Calls may come from any task or thread, at once.
package protocol JobStore: Sendable {
    /// Appends jobs; those due now are available at once.
    /// - Returns: an id per job, in order.
    func enqueue(_ jobs: [NewJob]) async throws(StoreError) -> [JobID]

    /// Leases waiting jobs of the kinds asked for: the most urgent priority first, then the lane whose head waits longest.
    /// An empty answer means nothing is available now.
    func claim(_ request: ClaimRequest) async throws(StoreError) -> [Lease]

    /// Writes how jobs ended, and enqueues their follow-ups with them. Settlements under a lost lease, or of a job settled before, change nothing and are
    /// named in the reply; all others are durable.
    func settle(_ settlements: [Settlement]) async throws(StoreError) -> SettleReply

    /// Keeps what running jobs say of how far they are; the last of each counts, and goes when the job ends. What comes under
    /// a lost lease, or of a job that has ended, changes nothing. Need not survive a power loss.
    /// - Returns: the leases that were no longer the worker's.
    func progress(_ reports: [JobProgress]) async throws(StoreError) -> Set<LeaseID>

    func register(_ worker: WorkerRegistration) async throws(StoreError) -> WorkerID

    /// What the newest other worker of this name said of itself last, or else the newest of this host; nil when none is
    /// remembered. So what a worker has learned outlives it.
    func lastReport(name: String, host: String) async throws(StoreError) -> JSONText?

    /// Keeps a worker and all its leases alive for another lease time. Called from a thread of its own, so it blocks
    /// that thread and needs no task to make progress.
    /// - Parameter report: what it says of itself, a ``WorkerReport``; nil: as before. Worth sending when it has changed.
    func heartbeat(_ worker: WorkerID, report: JSONText?) throws(StoreError) -> HeartbeatReply

    /// Ends a registration. Leases it still has are recovered as a dead worker's are.
    func deregister(_ worker: WorkerID) async throws(StoreError)

    /// Looks for workers that died, revokes their leases and appends what they had not done again, with an error that says
    /// so and no attempt charged. From a job's third crash on it waits before it runs again, longer each time; but no job fails
    /// for that its worker died, as it may be innocent.
    ///
    /// A crash is counted for each job that was claimed and not settled. Which of them had begun is not known: a begin is not
    /// written, since that would cost a write per job, and what a heartbeat could say of it is a second old, while it is the
    /// job that began last that is most likely guilty.
    func recover() async throws(StoreError) -> RecoveryReply

    /// Moves scheduled and retryable jobs whose time has come into the log.
    /// - Returns: how many were moved, and when the next one is due. Call again at once while `moved == limit`.
    func promote(limit: Int) async throws(StoreError) -> PromotionReply

    /// Repairs jobs named one by one, in one transaction; one that is named twice is meant once:
    /// - cancel ends waiting jobs as `cancelled`; running ones are asked to stop, and end when their worker settles them. However
    ///   such a run ends, it is not run again.
    /// - retry makes failed, cancelled, scheduled and retryable jobs available now.
    /// - discard removes failed and cancelled jobs for good.
    /// - Parameters:
    ///   - states: jobs in another state by now are passed over in silence; nil: they are refused by name.
    ///   - dryRun: only says what would be done.
    ///   - attempts: how many more a retried job has; nil: as many as are left, and one where none is.
    func repair(
        _ repair: Repair, _ ids: [JobID], only states: Set<JobState>?, dryRun: Bool, attempts: Int?
    ) async throws(StoreError) -> RepairReply

    /// Jobs that a repair takes, of those that match, as they are now.
    func candidates(_ repair: Repair, _ states: Set<JobState>, _ filter: JobFilter) async throws(StoreError) -> [JobID]

    /// From now on a paused queue hands nothing out, whatever kinds it holds or will hold; what runs goes on, and everything else
    /// works as before. A queue that nobody has used yet can be paused, too.
    /// - Returns: false: it was as wanted already.
    func pause(queue: String, _ isPaused: Bool) async throws(StoreError) -> Bool

    func job(_ id: JobID) async throws(StoreError) -> JobDetail?

    /// Newest first. A page may be shorter than its limit only at the end.
    func list(_ query: JobQuery) async throws(StoreError) -> JobPage

    /// Groups of failed jobs, the one seen last first.
    func failures(limit: Int) async throws(StoreError) -> [FailureGroup]

    func stats() async throws(StoreError) -> StoreStats

    /// One entry per lane's queue and kind, priorities added up.
    func queues() async throws(StoreError) -> [QueueSummary]

    func workers() async throws(StoreError) -> [WorkerSummary]

    /// Removes what ended longer ago than its time, a bounded piece a call.
    /// - Returns: zero when nothing is left to remove; call again at once while it is not.
    func retain(_ policy: RetentionPolicy, limit: Int) async throws(StoreError) -> Int

    /// Tells whenever there may be new work or a new request to cancel. Only a hint: some changes come without one, so callers
    /// poll as well.
    /// - Parameters:
    ///   - tell: called from the thread that hears of it, so it only passes it on.
    ///   - ended: the store was closed.
    func onHint(_ tell: @escaping @Sendable () -> Void, ended: @escaping @Sendable () -> Void) -> HintWatch

    /// The thread on which hints come, and the answers of claims: who waits and claims there has nobody to wake on the way. The
    /// rest of the store waits meanwhile, so only what is short may run there, and never what calls users' code. Nil: any.
    var claimThread: (any TaskExecutor)? { get }

    /// Whether a worker whose last claim brought nothing may poll seldom, because all that is appended from then on comes with a
    /// hint, as far as can be known.
    var hintsAreCertain: Bool { get }

    /// Whether ``recover()`` sees at once that a process is gone, and need not wait for the end of its lease.
    var seesDeath: Bool { get }

    /// Findings about this store, best first for a person who wonders what is wrong.
    func diagnose() async throws(StoreError) -> [Finding]

    /// Finishes what was begun and lets go of the database. Later calls throw ``StoreError/Code/closed``.
    func close() async
}

extension JobStore {
    package var claimThread: (any TaskExecutor)? { nil }

    package func heartbeat(_ worker: WorkerID) throws(StoreError) -> HeartbeatReply {
        try heartbeat(worker, report: nil)
    }
}
