import MartletCore
import MartletPQ
import MartletStore

/// The queue in a schema of a PostgreSQL database. The layout and every decision about jobs are in `migrations/`; here the
/// calls become statements, and what arrives together is sent as one.
///
/// A process has at most four connections: two for everything, one for heartbeats, one that listens.
package final class PostgresStore: JobStore {
    private let database: Database
    /// For the calls of workers, which try again by themselves and have to know soon that the database is away.
    private let hasty: Database
    private let hinting: Hints

    private let enqueueing: Gather<NewJob, JobID>
    private let claiming: Claim
    private let settling: Settle
    private let working: Workers
    private let repairing: Repairs
    private let rows: JobRows
    private let counting: Stats
    private let benching: Benches

    package static func open(_ options: PostgresOptions) async throws(StoreError) -> PostgresStore {
        let database = try Database(options)
        do throws(StoreError) {
            if options.migrate { try await Schema.migrate(database) }
            try Schema.check(try await Schema.status(database, within: options.openWithin), database.place)
            return PostgresStore(database, try Self.listener(options), options.remark)
        } catch {
            await database.client.close()
            throw error
        }
    }

    /// One job, in one request, by a program that does nothing else: its thread blocks, for a task that is resumed would start
    /// four others first.
    /// - Returns: nil when nothing was enqueued for a reason that opening the queue tells.
    package static func enqueueAtOnce(_ job: NewJob, _ options: PostgresOptions) throws(StoreError) -> JobID? {
        let database = try Database(options, isBrief: true).waiting(atMost: options.openWithin)
        return try Enqueue.atOnce(job, database)
    }

    /// Where a database stands; changes nothing in it.
    package static func migrationStatus(_ options: PostgresOptions) async throws(StoreError) -> MigrationStatus {
        try await with(options) { database throws(StoreError) in
            try await Schema.status(database, within: options.openWithin)
        }
    }

    package static func migrate(_ options: PostgresOptions) async throws(StoreError) -> MigrationStatus {
        try await with(options, for: .migrate) { database throws(StoreError) in
            let status = try await Schema.status(database, within: options.openWithin)
            guard !status.isNewer else { return status }
            try await Schema.migrate(database)
            return try await Schema.status(database)
        }
    }

    /// The SQL that `migrate` would run now; empty when there is nothing to do.
    package static func plan(_ options: PostgresOptions) async throws(StoreError) -> String {
        try await with(options) { database throws(StoreError) in
            let status = try await Schema.status(database, within: options.openWithin)
            return Schema.plan(Schema.migrations.dropFirst(status.current), database.place)
        }
    }

    /// Makes the roles for producers, workers, readers and admins.
    /// - Returns: their names.
    package static func createRoles(_ options: PostgresOptions) async throws(StoreError) -> [String] {
        try await with(options, for: .createRoles) { database throws(StoreError) in
            let rows = try await database.run(.once("select * from \(database.place.quoted).create_roles()"))
            return (0..<rows.count).map { rows.text($0, 0) }
        }
    }

    static func with<T>(
        _ options: PostgresOptions, for purpose: Place.Purpose = .work, _ body: (Database) async throws(StoreError) -> T
    ) async throws(StoreError) -> T {
        let database = try Database(options, for: purpose)
        do throws(StoreError) {
            let value = try await body(database)
            await database.client.close()
            return value
        } catch {
            await database.client.close()
            throw error
        }
    }

    private static func listener(_ options: PostgresOptions) throws(StoreError) -> Conninfo? {
        guard let url = options.listenURL else { return nil }
        do throws(PQError) { return try Conninfo(url) } catch { throw StoreError(.unusable, error.message) }
    }

    private static let patience: Duration = .seconds(1)

    private init(_ database: Database, _ listener: Conninfo?, _ remark: @escaping @Sendable (String) -> Void) {
        let enqueue = Enqueue(database.place)
        self.database = database
        hasty = database.waiting(atMost: Self.patience)
        hinting = Hints(database.client, channel: database.place.schema, conninfo: listener, remark: remark)
        enqueueing = Gather(limit: Limits.enqueueBatch) { jobs throws(StoreError) in try await enqueue.run(jobs, database) }
        claiming = Claim(database.place)
        settling = Settle(database.place, enqueue)
        working = Workers(database.place)
        repairing = Repairs(database.place)
        rows = JobRows(database.place)
        counting = Stats(database.place)
        benching = Benches(database.place)
    }

    // MARK: Jobs

    package func enqueue(_ jobs: [NewJob]) async throws(StoreError) -> [JobID] {
        guard !jobs.isEmpty else { return [] }
        let ids = try await enqueueing.perform(jobs)
        hinting.announce()
        return ids
    }

    package func claim(_ request: ClaimRequest) async throws(StoreError) -> [Lease] {
        let sleeps = hinting.sleeps(request.worker)
        let reply = try await claiming.run(request, sleeps: sleeps, hasty)
        switch reply {
        case .leases(let leases) where !leases.isEmpty:
            hinting.found(request.worker)
            return leases
        case .leases, .again:
            hinting.foundNothing(request.worker, slept: sleeps, isUncertain: reply.isUncertain)
            return []
        }
    }

    package func settle(_ settlements: [Settlement]) async throws(StoreError) -> SettleReply {
        let reply = try await settling.run(settlements, hasty)
        if settlements.contains(where: { !$0.followUps.isEmpty }) { hinting.announce() }
        return reply
    }

    package func progress(_ reports: [JobProgress]) async throws(StoreError) -> Set<LeaseID> {
        try await working.progress(reports, hasty)
    }

    package func promote(limit: Int) async throws(StoreError) -> PromotionReply {
        let reply = try await working.promote(limit: limit, hasty)
        if reply.moved > 0 { hinting.announce() }
        return reply
    }

    // MARK: Workers

    package func register(_ worker: WorkerRegistration) async throws(StoreError) -> WorkerID {
        try await working.register(worker, hasty)
    }

    package func lastReport(name: String, host: String) async throws(StoreError) -> JSONText? {
        try await working.lastReport(name: name, host: host, hasty)
    }

    package func heartbeat(_ worker: WorkerID, report: JSONText?) throws(StoreError) -> HeartbeatReply {
        try working.heartbeat(worker, report: report, hasty)
    }

    package func deregister(_ worker: WorkerID) async throws(StoreError) {
        hinting.forget(worker)
        try await working.deregister(worker, hasty)
        hinting.announce()
    }

    package func recover() async throws(StoreError) -> RecoveryReply {
        let reply = try await working.recover(hasty)
        if reply.recoveredJobs > 0 { hinting.announce() }
        return reply
    }

    // MARK: Repairs

    package func repair(
        _ repair: Repair, _ ids: [JobID], only states: Set<JobState>?, dryRun: Bool, attempts: Int?
    ) async throws(StoreError) -> RepairReply {
        let reply = try await repairing.run(repair, ids, only: states, dryRun: dryRun, attempts: attempts, database)
        if !dryRun { hinting.announce() }
        return reply
    }

    package func pause(queue: String, _ isPaused: Bool) async throws(StoreError) -> Bool {
        let hasChanged = try await repairing.pause(queue, isPaused, database)
        if hasChanged { hinting.announce() }
        return hasChanged
    }

    package func candidates(
        _ repair: Repair, _ states: Set<JobState>, _ filter: JobFilter
    ) async throws(StoreError) -> [JobID] {
        try await repairing.candidates(repair, states, filter, database)
    }

    package func retain(_ policy: RetentionPolicy, limit: Int) async throws(StoreError) -> Int {
        try await working.retain(policy, limit: limit, hasty)
    }

    // MARK: Views

    package func job(_ id: JobID) async throws(StoreError) -> JobDetail? { try await rows.job(id, database) }

    package func list(_ query: JobQuery) async throws(StoreError) -> JobPage { try await rows.list(query, database) }

    package func failures(limit: Int) async throws(StoreError) -> [FailureGroup] {
        try await counting.failures(limit: limit, database)
    }

    package func stats() async throws(StoreError) -> StoreStats { try await counting.run(database) }

    package func queues() async throws(StoreError) -> [QueueSummary] {
        try await counting.queues(try await workers(), database)
    }

    package func workers() async throws(StoreError) -> [WorkerSummary] { try await working.list(database) }

    package func diagnose() async throws(StoreError) -> [Finding] {
        try await Diagnose.run(try await workers(), database)
    }

    package func onHint(_ tell: @escaping @Sendable () -> Void, ended: @escaping @Sendable () -> Void) -> HintWatch {
        hinting.listen(tell, ended: ended)
    }

    package var claimThread: (any TaskExecutor)? { database.client.ioThread }

    package var hintsAreCertain: Bool { hinting.areCertain }

    package var seesDeath: Bool { false }

    package func close() async {
        hinting.close()
        await database.client.close()
    }
}

extension PostgresStore: BenchStore {
    package func benchSurroundings() async throws(StoreError) -> BenchSurroundings {
        try await benching.surroundings(database)
    }

    package func conditions() async throws(StoreError) -> StoreConditions { try await benching.conditions(database) }

    package func roundTrip() async throws(StoreError) -> Duration? { try await benching.roundTrip(database) }

    package func removeBench(_ name: BenchName, limit: Int) async throws(StoreError) -> Int {
        try await benching.remove(name, limit: limit, database)
    }
}
