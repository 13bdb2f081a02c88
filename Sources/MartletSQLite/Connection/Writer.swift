import Dispatch
import Foundation
import GRDB
import MartletCore
import MartletStore
import Synchronization

/// The one thread of a process that writes.
///
/// Operations that arrive while a commit is in progress share the next one: one turn at the lock file, one transaction,
/// one fsync. Each runs in a savepoint of its own, so one that fails undoes only itself. Should the whole transaction
/// fail (a full disk), its operations are tried again one by one, so that only those fail that cannot be done.
final class Writer: Sendable {
    /// What an operation asks of its commit.
    enum Durability {
        /// On disk before the caller hears of it.
        case synced
        /// Losing it in a power cut repeats work but loses none (a claim, a heartbeat): no fsync of its own.
        case relaxed
    }

    private let files: DatabaseFiles
    private let database: DatabaseQueue
    private let lock: WriteLock
    private let clock: any StoreClock
    private let busyTimeout: Duration
    private let pending = Mutex(CommitQueue<Operation>())
    private let wake = DispatchSemaphore(value: 0)
    private let stopped = DispatchGroup()
    private let checkpointer: Checkpointer
    private let synchronous = SynchronousSetting()
    private let isWatched = Atomic(false)

    init(files: DatabaseFiles, database: DatabaseQueue, lock: WriteLock, options: SQLiteOptions) {
        self.files = files
        self.database = database
        self.lock = lock
        clock = options.clock
        busyTimeout = options.busyTimeout
        checkpointer = Checkpointer(busyTimeoutMilliseconds: options.busyTimeout.milliseconds)
        database.unsafeReentrantWrite(checkpointer.attach)
        stopped.enter()
        let thread = Thread { [self] in
            serve()
            stopped.leave()
        }
        thread.name = "martlet-writer"
        thread.start()
    }

    // MARK: Callers

    /// - Parameters:
    ///   - skip: looked at first, outside a transaction; when nothing is needed, its answer is the answer and nothing is written.
    ///   - body: may run more than once (see above), each time from a clean state.
    func perform<T: Sendable>(
        _ durability: Durability = .synced, unless skip: Skip<T>? = nil,
        _ body: @escaping @Sendable (Database) throws -> T
    ) async throws(StoreError) -> T {
        let result: Result<T, StoreError> = await withUnsafeContinuation { continuation in
            submit(Request(durability, skip, body) { continuation.resume(returning: $0) })
        }
        return try result.get()
    }

    /// Carries out items of many callers as one where they meet in a group.
    func perform<Item, Answer>(_ items: [Item], by merge: Merge<Item, Answer>) async throws(StoreError) -> [Answer] {
        let result: Result<[Answer], StoreError> = await withUnsafeContinuation { continuation in
            submit(MergedRequest(items, merge) { continuation.resume(returning: $0) })
        }
        return try result.get()
    }

    /// The same as ``perform(_:unless:_:)`` for a thread that has no task to suspend.
    func performBlocking<T: Sendable>(
        _ durability: Durability = .synced, _ body: @escaping @Sendable (Database) throws -> T
    ) throws(StoreError) -> T {
        let done = DispatchSemaphore(value: 0)
        let answer = Mutex<Result<T, StoreError>?>(nil)
        submit(
            Request(durability, nil, body) { result in
                answer.withLock { $0 = result }
                done.signal()
            })
        done.wait()
        return try answer.withLock { $0! }.get()
    }

    /// Carries out what is waiting, then closes the connection under the lock. Returns when that is done.
    func close() async {
        pending.withLock { $0.close() }
        wake.signal()
        await withUnsafeContinuation { continuation in
            stopped.notify(queue: .global()) { continuation.resume() }
        }
    }

    private func submit(_ operation: Operation) {
        let deadline = clock.sinceBoot() + busyTimeout.milliseconds
        switch pending.withLock({ $0.add(operation, deadline: deadline) }) {
        case true: wake.signal()
        case false: break
        case nil: operation.finish(StoreError(.closed, "\(files.shown) was closed"))
        }
    }

    // MARK: The thread

    private func serve() {
        while true {
            wake.wait()
            while !pending.withLock({ $0.isEmpty }) { serveGroup() }
            if pending.withLock({ $0.isFinished }) { break }
        }
        takeTurn()
        do { try database.close() } catch {
            // An open statement would be our mistake; the process is about to let go of the file anyway.
            assertionFailure("close: \(error)")
        }
        lock.release()
    }

    private func serveGroup() {
        takeTurn()
        let group = pending.withLock { $0.take() }
        database.unsafeReentrantWrite { db in commit(group, db) }
        lock.release()
        for operation in group { operation.deliver() }
    }

    /// While another process keeps its turn, operations whose time is over fail; we go on waiting for those that come.
    private func takeTurn() {
        guard !lock.tryTake() else { return }
        // One task watches over many waits: turns come in microseconds, and it is needed only when one does not come.
        if !isWatched.exchange(true, ordering: .acquiring) { Task { await failOverdue() } }
        lock.take()
    }

    private func failOverdue() async {
        repeat {
            let now = clock.sinceBoot()
            let next = pending.withLock { $0.nextDeadline } ?? now + busyTimeout.milliseconds
            do { try await Task.sleep(for: .milliseconds(max(10, next - now))) } catch { break }
            let overdue = pending.withLock { $0.expire(now: clock.sinceBoot()) }
            for operation in overdue { operation.finish(.turnNeverCame(files, busyTimeout)) }
        } while pending.withLock({ !$0.isEmpty })
        isWatched.store(false, ordering: .releasing)
    }

    private func commit(_ group: [Operation], _ db: Database) {
        let needed = group.filter { !$0.isAnswered(db) }
        guard !needed.isEmpty else { return }
        do {
            try transaction(needed, db)
        } catch {
            guard needed.count > 1 else { return needed[0].fail(StoreError(error, path: files.shown)) }
            for operation in needed {
                do { try transaction([operation], db) } catch { operation.fail(StoreError(error, path: files.shown)) }
            }
        }
        checkpointer.afterCommit(db)
    }

    private func transaction(_ group: [Operation], _ db: Database) throws {
        try synchronous.set(group.contains { $0.durability == .synced }, db)
        try db.run("begin immediate")
        do {
            let units = Operation.merged(group)
            for unit in units { try unit.lead.run(db, with: unit.others, alone: units.count == 1, path: files.shown) }
            try db.run("commit")
        } catch {
            // SQLite has rolled back by itself after some errors.
            if db.isInsideTransaction { try db.run("rollback") }
            throw error
        }
    }
}

/// Whether a commit waits for the disk. Set only when it changes.
private final class SynchronousSetting: @unchecked Sendable {
    // Sendable: used by the writer thread alone.
    private var isFull = true

    func set(_ full: Bool, _ db: Database) throws {
        guard full != isFull else { return }
        try db.run(full ? "pragma synchronous = full" : "pragma synchronous = normal")
        isFull = full
    }
}
