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
    private let watch: ChangeWatch
    let thread: WriterThread
    private let stopped = DispatchGroup()
    private let checkpointer: Checkpointer
    private let synchronous = SynchronousSetting()
    private let isWaiting = Atomic(false)
    private let isWatched = Atomic(false)

    init(files: DatabaseFiles, database: DatabaseQueue, lock: WriteLock, watch: ChangeWatch, options: SQLiteOptions) {
        self.files = files
        self.watch = watch
        self.thread = WriterThread(watch)
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

    /// Carries out what is waiting, then closes the connection under the lock. Returns when that is done, or when the turn at
    /// the lock does not come: the thread then goes on waiting for it, and the end of the process ends it.
    func close() async {
        pending.withLock { $0.close() }
        watch.ring()
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            let once = Once { continuation.resume() }
            stopped.notify(queue: .global()) { once.run() }
            DispatchQueue.global().asyncAfter(deadline: .now() + Self.closing.inSeconds) { once.run() }
        }
    }

    private static let closing: Duration = .seconds(2)

    private func submit(_ operation: Operation) {
        let deadline = clock.sinceBoot() + busyTimeout.milliseconds
        switch pending.withLock({ $0.add(operation, deadline: deadline) }) {
        case true: watch.ring()
        case false: break
        case nil: operation.finish(StoreError(.closed, "\(files.shown) was closed"))
        }
    }

    // MARK: The thread

    private func serve() {
        while true {
            watch.sleep()
            while serveOnce() { watch.look() }
            if pending.withLock({ $0.isFinished }) { break }
        }
        thread.close()
        takeTurn()
        do { try database.close() } catch {
            // An open statement would be our mistake; the process is about to let go of the file anyway.
            assertionFailure("close: \(error)")
        }
        lock.release()
    }

    /// - Returns: whether there was anything to do.
    private func serveOnce() -> Bool {
        let hasRun = thread.run()
        guard !pending.withLock({ $0.isEmpty }) else { return hasRun }
        serveGroup()
        return true
    }

    private func serveGroup() {
        let hasWaited = takeTurn()
        // Claims that were decided on meanwhile need not wait for another turn.
        if hasWaited { thread.run() }
        let group = pending.withLock { $0.take() }
        // Another process has just written: mostly what a look before the transaction would ask for, so it would be in vain.
        database.unsafeReentrantWrite { db in commit(hasWaited ? group : group.filter { !$0.isAnswered(db) }, db) }
        lock.release()
        for operation in group { operation.deliver() }
    }

    /// While another process keeps its turn, operations whose time is over fail, and tasks of this thread go on elsewhere; we
    /// go on waiting for what comes.
    /// - Returns: whether another process had its turn before.
    @discardableResult
    private func takeTurn() -> Bool {
        guard !lock.tryTake() else { return false }
        isWaiting.store(true, ordering: .sequentiallyConsistent)
        watchTheWait()
        lock.take()
        isWaiting.store(false, ordering: .sequentiallyConsistent)
        return true
    }

    /// One thread watches over many waits: turns come in microseconds, and it is needed only when one does not come. A thread
    /// and not a task, since handlers that block the pool must not hold up these errors as well.
    private func watchTheWait() {
        guard !isWatched.exchange(true, ordering: .sequentiallyConsistent) else { return }
        let thread = Thread { [self] in
            failOverdue()
            isWatched.store(false, ordering: .sequentiallyConsistent)
            // A wait may have begun in between, and seen a watch that was already over.
            if isWaiting.load(ordering: .sequentiallyConsistent) { watchTheWait() }
        }
        thread.name = "martlet-turn"
        thread.start()
    }

    /// Ends when nobody has waited for a while.
    private func failOverdue() {
        var quiet = 0
        while quiet < 20 {
            Thread.sleep(forTimeInterval: 0.1)
            quiet = isWaiting.load(ordering: .sequentiallyConsistent) ? 0 : quiet + 1
            let overdue = pending.withLock { $0.expire(now: clock.sinceBoot()) }
            for operation in overdue { operation.finish(.turnNeverCame(files, busyTimeout)) }
            if quiet == 0 { thread.lend() }
        }
    }

    private func commit(_ needed: [Operation], _ db: Database) {
        guard !needed.isEmpty else { return }
        do {
            try transaction(needed, db)
        } catch {
            let failure = StoreError(error, path: files.shown)
            // Where waiting for another program was in vain, or the file is unusable, each alone would only wait as long again.
            guard needed.count > 1, failure.mayBelongToOne else {
                for operation in needed { operation.fail(failure) }
                return
            }
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

extension StoreError {
    /// Whether it may come of one operation of a group and not of all.
    fileprivate var mayBelongToOne: Bool {
        switch code {
        case .full, .internal: true
        case .unavailable, .unusable, .incompatible, .closed, .unknown: false
        }
    }
}

/// Does something the first time it is asked to.
private final class Once: Sendable {
    private let isDone = Atomic(false)
    private let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) { self.body = body }

    func run() {
        if !isDone.exchange(true, ordering: .relaxed) { body() }
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
