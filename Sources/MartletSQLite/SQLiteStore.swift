import Foundation
import GRDB
import MartletCore
import MartletStore
import Synchronization

/// The queue in one SQLite file. The layout is in `migrations/`, the idea in each verb's file.
package final class SQLiteStore: JobStore {
    private let files: DatabaseFiles
    private let options: SQLiteOptions
    private let liveness: Liveness
    private let writer: Writer
    private let watch: ChangeWatch
    private let reader = Mutex(Reader.unopened)
    /// The beacons of workers registered here.
    private let beacons = Mutex<[WorkerID: Int64]>([:])

    private let enqueueing: Merge<NewJob, JobID>

    /// Opened when something is first read, and never again after closing. It has a thread of its own, so what a worker asks
    /// again and again is asked by the writer: those are short looks, and a worker that nobody views needs no reader.
    private enum Reader {
        case unopened
        case open(DatabaseQueue)
        case closed
    }

    package static func open(_ options: SQLiteOptions) async throws(StoreError) -> SQLiteStore {
        try await onThread(options) { try SQLiteStore($0) }
    }

    /// Where a database stands; changes nothing in it.
    package static func migrationStatus(path: String) async throws(StoreError) -> MigrationStatus {
        try await onThread(SQLiteOptions(path: path, create: false)) { options in
            let files = try DatabaseFiles(options)
            let database = try OpenDatabase.reader(files, busyTimeout: options.busyTimeout)
            let status = try database.read(Schema.status)
            try database.close()
            return status
        }
    }

    package static func migrate(path: String) async throws(StoreError) -> MigrationStatus {
        let store = try await open(SQLiteOptions(path: path))
        let status = try await store.read(Schema.status)
        await store.close()
        return status
    }

    private init(_ options: SQLiteOptions) throws {
        let files = try DatabaseFiles(options)
        let lock = try WriteLock(path: files.lock)
        guard lock.take(within: options.busyTimeout) else { throw StoreError.turnNeverCame(files, options.busyTimeout) }
        defer { lock.release() }
        let database = try OpenDatabase.writer(files, busyTimeout: options.busyTimeout)
        try database.unsafeReentrantWrite { db in
            let status = try Schema.status(db)
            if options.migrate && !status.isNewer { try Schema.migrate(db, now: options.clock.now()) }
            try Schema.check(try Schema.status(db), files: files)
        }
        let clock = options.clock
        enqueueing = Merge { jobs, db in try Enqueue.run(jobs, now: clock.now(), db) }
        self.options = options
        self.files = files
        liveness = Liveness(lock: lock, clock: clock)
        watch = ChangeWatch(walPath: files.wal)
        writer = Writer(files: files, database: database, lock: lock, watch: watch, options: options)
    }

    // MARK: Jobs

    package func enqueue(_ jobs: [NewJob]) async throws(StoreError) -> [JobID] {
        let ids = try await writer.perform(jobs, by: enqueueing)
        watch.announce()
        return ids
    }

    package func claim(_ request: ClaimRequest) async throws(StoreError) -> [Lease] {
        let clock = options.clock
        let skip = Skip<[Lease]> { db in try Claim.hasWork(request, db) ? nil : [] }
        return try await writer.perform(.relaxed, unless: skip) { db in try Claim.run(request, now: clock.now(), db) }
    }

    package func settle(_ settlements: [Settlement]) async throws(StoreError) -> SettleReply {
        let clock = options.clock
        let reply = try await writer.perform { db in try Settle.run(settlements, now: clock.now(), db) }
        if settlements.contains(where: { !$0.followUps.isEmpty }) { watch.announce() }
        return reply
    }

    package func progress(_ reports: [JobProgress]) async throws(StoreError) -> Set<LeaseID> {
        let clock = options.clock
        return try await writer.perform(.relaxed) { db in try Report.run(reports, now: clock.now(), db) }
    }

    package func promote(limit: Int) async throws(StoreError) -> PromotionReply {
        let clock = options.clock
        let skip = Skip<PromotionReply> { db in
            let next = try Promote.nextDue(now: clock.now(), db)
            return next == .zero ? nil : PromotionReply(moved: 0, nextDue: next)
        }
        let reply = try await writer.perform(.relaxed, unless: skip) { db in
            try Promote.run(limit: limit, now: clock.now(), db)
        }
        if reply.moved > 0 { watch.announce() }
        return reply
    }

    // MARK: Workers

    package func register(_ worker: WorkerRegistration) async throws(StoreError) -> WorkerID {
        let clock = options.clock
        // Lit before the row can be seen: a worker without its beacon is a dead one.
        let beacon = liveness.begin()
        do {
            let id = try await writer.perform { db in try Workers.register(worker, beacon: beacon, clock: clock, db) }
            beacons.withLock { $0[id] = beacon }
            return id
        } catch {
            liveness.end(beacon)
            throw error
        }
    }

    package func lastReport(name: String, host: String) async throws(StoreError) -> JSONText? {
        try await read { db in try Workers.lastReport(name: name, host: host, db) }
    }

    package func heartbeat(_ worker: WorkerID, report: JSONText?) throws(StoreError) -> HeartbeatReply {
        let clock = options.clock
        return try writer.performBlocking(.relaxed) { db in try Workers.heartbeat(worker, report: report, clock: clock, db) }
    }

    package func deregister(_ worker: WorkerID) async throws(StoreError) {
        let clock = options.clock
        let reply = try await writer.perform { db in try Recover.end([worker], crashed: false, now: clock.now(), db) }
        if let beacon = beacons.withLock({ $0.removeValue(forKey: worker) }) { liveness.end(beacon) }
        if reply.recoveredJobs > 0 { watch.announce() }
    }

    package func recover() async throws(StoreError) -> RecoveryReply {
        let clock = options.clock
        let liveness = liveness
        let skip = Skip<RecoveryReply> { db in
            try Recover.dead(liveness, db).isEmpty
                ? RecoveryReply(workers: [], revokedLeases: 0, recoveredJobs: 0) : nil
        }
        let reply = try await writer.perform(.relaxed, unless: skip) { db in
            try Recover.end(try Recover.dead(liveness, db), crashed: true, now: clock.now(), db)
        }
        for worker in reply.workers {
            // One of our own that was too slow: it will register anew, with another beacon.
            if let beacon = beacons.withLock({ $0.removeValue(forKey: worker) }) { liveness.end(beacon) }
        }
        if reply.recoveredJobs > 0 { watch.announce() }
        return reply
    }

    // MARK: Repairs

    package func repair(
        _ repair: Repair, _ ids: [JobID], only states: Set<JobState>?, dryRun: Bool, attempts: Int?
    ) async throws(StoreError) -> RepairReply {
        let clock = options.clock
        guard !dryRun else {
            return try await read { db in
                try Repairs.run(repair, ids, only: states, attempts: attempts, now: clock.now(), dryRun: true, db)
            }
        }
        let reply = try await writer.perform { db in
            try Repairs.run(repair, ids, only: states, attempts: attempts, now: clock.now(), dryRun: false, db)
        }
        watch.announce()
        return reply
    }

    package func pause(queue: String, _ isPaused: Bool) async throws(StoreError) -> Bool {
        let hasChanged = try await writer.perform { db in try Pause.run(queue, isPaused, db) }
        if hasChanged { watch.announce() }
        return hasChanged
    }

    package func candidates(
        _ repair: Repair, _ states: Set<JobState>, _ filter: JobFilter
    ) async throws(StoreError) -> [JobID] {
        try await read { db in try Selection.ids(repair, states, filter, limit: .max, db) }
    }

    package func retain(_ policy: RetentionPolicy, limit: Int) async throws(StoreError) -> Int {
        let clock = options.clock
        // Mostly there is nothing to do, which a look outside a transaction tells.
        let skip = Skip<Int> { db in try Retain.isDue(policy, now: clock.now(), db) ? nil : 0 }
        return try await writer.perform(.relaxed, unless: skip) { db in
            try Retain.run(policy, limit: limit, now: clock.now(), db)
        }
    }

    // MARK: Views

    package func job(_ id: JobID) async throws(StoreError) -> JobDetail? {
        let clock = options.clock
        return try await read { db in try Detail.run(id, now: clock.now(), db) }
    }

    package func list(_ query: JobQuery) async throws(StoreError) -> JobPage {
        try await read { db in try List.run(query, db) }
    }

    package func failures(limit: Int) async throws(StoreError) -> [FailureGroup] {
        try await read { db in try Failures.list(limit: limit, db) }
    }

    package func stats() async throws(StoreError) -> StoreStats {
        let clock = options.clock
        return try await read { db in try Stats.run(now: clock.now(), db) }
    }

    package func queues() async throws(StoreError) -> [QueueSummary] {
        let liveness = liveness
        return try await read { db in try Stats.queues(now: liveness.clock.now(), liveness, db) }
    }

    package func workers() async throws(StoreError) -> [WorkerSummary] {
        let liveness = liveness
        return try await read { db in try Workers.list(liveness, db) }
    }

    package func diagnose() async throws(StoreError) -> [Finding] {
        let (files, liveness) = (files, liveness)
        return try await read { db in try Diagnose.run(files, liveness, now: liveness.clock.now(), db) }
    }

    package func onHint(_ tell: @escaping @Sendable () -> Void, ended: @escaping @Sendable () -> Void) -> HintWatch {
        watch.listen(tell, ended: ended)
    }

    /// Asking costs next to nothing here.
    package var claimThread: (any TaskExecutor)? { writer.thread }

    package var hintsAreCertain: Bool { false }

    package var seesDeath: Bool { true }

    package func close() async {
        watch.close()
        let last = reader.withLock { reader in
            defer { reader = .closed }
            return reader
        }
        // The reader goes first, so that the writer closes last, under the lock.
        if case .open(let database) = last {
            do { try database.close() } catch { assertionFailure("\(error)") }
        }
        await writer.close()
    }

    private func read<T: Sendable>(_ body: @escaping @Sendable (Database) throws -> T) async throws(StoreError) -> T {
        do {
            let database = try reader.withLock { reader in
                switch reader {
                case .open(let database):
                    return database
                case .closed:
                    throw StoreError(.closed, "\(files.shown) was closed")
                case .unopened:
                    let database = try OpenDatabase.reader(files, busyTimeout: options.busyTimeout)
                    reader = .open(database)
                    return database
                }
            }
            return try await database.read(body)
        } catch {
            throw StoreError(error, path: files.shown)
        }
    }

    /// Opening may wait for another process's turn, which must not hold up the cooperative pool.
    private static func onThread<T: Sendable>(
        _ options: SQLiteOptions, _ body: @escaping @Sendable (SQLiteOptions) throws -> T
    ) async throws(StoreError) -> T {
        let result: Result<T, StoreError> = await withUnsafeContinuation { continuation in
            Thread.detachNewThread {
                do { continuation.resume(returning: .success(try body(options))) } catch {
                    continuation.resume(returning: .failure(StoreError(error, path: options.path)))
                }
            }
        }
        return try result.get()
    }
}

extension SQLiteStore: BenchStore {
    package func benchSurroundings() async throws(StoreError) -> BenchSurroundings {
        let liveness = liveness
        return try await read { db in try Benches.surroundings(liveness, db) }
    }

    /// By the connection that writes, as it is set for what has to be durable.
    package func conditions() async throws(StoreError) -> StoreConditions {
        let files = files
        return try await writer.perform(.synced) { db in try Benches.conditions(files, db) }
    }

    package func roundTrip() async throws(StoreError) -> Duration? { nil }

    package func removeBench(_ name: BenchName, limit: Int) async throws(StoreError) -> Int {
        let clock = options.clock
        return try await writer.perform(.relaxed) { db in try Benches.remove(name, limit: limit, now: clock.now(), db) }
    }
}
