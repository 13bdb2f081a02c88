import Foundation
import GRDB
import MartletCore
import MartletStore
import Synchronization

/// The queue in one SQLite file. The layout is in `migrations/`, the idea in each verb's file.
package final class SQLiteStore: JobStore {
    private let files: DatabaseFiles
    private let options: SQLiteOptions
    private let lock: WriteLock
    private let writer: Writer
    private let watch: ChangeWatch
    /// Opened when something is first read.
    private let reader = Mutex<DatabaseQueue?>(nil)
    /// Workers registered here: their bytes in the lock file are our own and tell us nothing.
    private let ownWorkers = Mutex<Set<Int64>>([])

    private let enqueueing: Merge<NewJob, JobID>

    private static let repairPiece = 2_000

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
        self.lock = lock
        writer = Writer(files: files, database: database, lock: lock, options: options)
        watch = ChangeWatch(walPath: files.wal)
    }

    // MARK: Jobs

    package func enqueue(_ jobs: [NewJob]) async throws(StoreError) -> [JobID] {
        let ids = try await writer.perform(jobs, by: enqueueing)
        watch.announce()
        return ids
    }

    package func claim(_ request: ClaimRequest) async throws(StoreError) -> [Lease] {
        let clock = options.clock
        let skip = Skip<[Lease]>(isNeeded: { db in try Claim.hasWork(request, db) }, answer: [])
        return try await writer.perform(.relaxed, unless: skip) { db in try Claim.run(request, now: clock.now(), db) }
    }

    package func settle(_ settlements: [Settlement]) async throws(StoreError) -> SettleReply {
        let clock = options.clock
        return try await writer.perform { db in try Settle.run(settlements, now: clock.now(), db) }
    }

    package func promote(limit: Int) async throws(StoreError) -> PromotionReply {
        let clock = options.clock
        let next = try await read { db in try Promote.nextDue(now: clock.now(), db) }
        guard next == .zero else { return PromotionReply(moved: 0, nextDue: next) }
        let reply = try await writer.perform(.relaxed) { db in try Promote.run(limit: limit, now: clock.now(), db) }
        if reply.moved > 0 { watch.announce() }
        return reply
    }

    // MARK: Workers

    package func register(_ worker: WorkerRegistration) async throws(StoreError) -> WorkerID {
        let clock = options.clock
        return try await writer.perform { [self] db in
            let id = try Workers.register(worker, clock: clock, db)
            // Before the row can be seen: a worker without its byte is a dead one, and so is one that holds its own byte
            // and is not known here, to a recovery that runs beside this.
            ownWorkers.withLock { _ = $0.insert(id.rawValue) }
            lock.holdAlive(worker: id.rawValue)
            return id
        }
    }

    package func heartbeat(_ worker: WorkerID) throws(StoreError) -> HeartbeatReply {
        let clock = options.clock
        return try writer.performBlocking(.relaxed) { db in try Workers.heartbeat(worker, clock: clock, db) }
    }

    package func deregister(_ worker: WorkerID) async throws(StoreError) {
        let clock = options.clock
        let reply = try await writer.perform { db in try Recover.end([worker], crashed: false, now: clock.now(), db) }
        ownWorkers.withLock { _ = $0.remove(worker.rawValue) }
        lock.letGo(worker: worker.rawValue)
        if reply.recoveredJobs > 0 { watch.announce() }
    }

    package func recover() async throws(StoreError) -> RecoveryReply {
        let clock = options.clock
        let registered = try await read { db in try Recover.registered(clock: clock, db) }
        guard registered.contains(where: isDead) else {
            return RecoveryReply(workers: [], revokedLeases: 0, recoveredJobs: 0)
        }
        let reply = try await writer.perform(.relaxed) { [self] db in
            // Looked at again under the lock: it may have renewed meanwhile.
            let dead = try Recover.registered(clock: clock, db).filter(isDead).map(\.id)
            return try Recover.end(dead, crashed: true, now: clock.now(), db)
        }
        if reply.recoveredJobs > 0 { watch.announce() }
        return reply
    }

    private func isDead(_ worker: Recover.Registered) -> Bool {
        if worker.isExpired { return true }
        let id = worker.id.rawValue
        return !ownWorkers.withLock { $0.contains(id) } && !lock.isHeldElsewhere(worker: id)
    }

    // MARK: Repairs

    package func cancel(_ selection: JobSelection) async throws(StoreError) -> RepairReply {
        try await repair(.cancel, selection)
    }

    package func retry(_ selection: JobSelection) async throws(StoreError) -> RepairReply {
        try await repair(.retry, selection)
    }

    package func discard(_ selection: JobSelection) async throws(StoreError) -> RepairReply {
        try await repair(.discard, selection)
    }

    /// Large selections are repaired in pieces, so that other writers get their turn in between.
    private func repair(_ repair: Repair, _ selection: JobSelection) async throws(StoreError) -> RepairReply {
        let clock = options.clock
        var changed = 0
        var requested = 0
        switch selection {
        case .ids(let ids):
            let reply = try await writer.perform { db in
                try Repairs.run(repair, ids, now: clock.now(), dryRun: false, db)
            }
            watch.announce()
            return reply
        case .matching(let states, let filter):
            while true {
                let piece = try await writer.perform { db in
                    let ids = try Selection.ids(repair, states, filter, limit: Self.repairPiece, db)
                    return try Repairs.run(repair, ids, now: clock.now(), dryRun: false, db)
                }
                changed += piece.changed
                requested += piece.requested
                watch.announce()
                if piece.changed < Self.repairPiece { return RepairReply(changed: changed, requested: requested) }
            }
        }
    }

    package func preview(_ repair: Repair, _ selection: JobSelection) async throws(StoreError) -> RepairReply {
        let clock = options.clock
        return try await read { db in
            switch selection {
            case .ids(let ids):
                try Repairs.run(repair, ids, now: clock.now(), dryRun: true, db)
            case .matching(let states, let filter):
                RepairReply(changed: try Selection.count(repair, states, filter, db))
            }
        }
    }

    package func retain(_ policy: RetentionPolicy, limit: Int) async throws(StoreError) -> Int {
        let clock = options.clock
        return try await writer.perform(.relaxed) { db in try Retain.run(policy, limit: limit, now: clock.now(), db) }
    }

    // MARK: Views

    package func job(_ id: JobID) async throws(StoreError) -> JobDetail? {
        try await read { db in try Detail.run(id, db) }
    }

    package func list(_ query: JobQuery) async throws(StoreError) -> JobPage {
        try await read { db in try List.run(query, db) }
    }

    package func failures(limit: Int) async throws(StoreError) -> [FailureGroup] {
        try await read { db in try Failures.list(limit: limit, db) }
    }

    package func stats() async throws(StoreError) -> StoreStats {
        let clock = options.clock
        return try await read { db in try Stats.run(now: clock.now(), clock: clock, db) }
    }

    package func queues() async throws(StoreError) -> [QueueSummary] {
        let clock = options.clock
        return try await read { db in try Stats.queues(now: clock.now(), clock: clock, db) }
    }

    package func workers() async throws(StoreError) -> [WorkerSummary] {
        let clock = options.clock
        return try await read { db in try Workers.list(clock: clock, db) }
    }

    package func diagnose() async throws(StoreError) -> [Finding] {
        let (files, clock) = (files, options.clock)
        return try await read { db in try Diagnose.run(files, clock: clock, db) }
    }

    package func hints() -> AsyncStream<Void> { watch.listen() }

    package func close() async {
        watch.close()
        let open = reader.withLock { reader in
            defer { reader = nil }
            return reader
        }
        // The reader goes first, so that the writer closes last, under the lock.
        do { try open?.close() } catch { assertionFailure("\(error)") }
        await writer.close()
    }

    private func read<T: Sendable>(_ body: @escaping @Sendable (Database) throws -> T) async throws(StoreError) -> T {
        do {
            let database = try reader.withLock { reader in
                if let reader { return reader }
                let opened = try OpenDatabase.reader(files, busyTimeout: options.busyTimeout)
                reader = opened
                return opened
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
