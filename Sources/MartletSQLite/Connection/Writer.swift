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
    ///   - needed: looked at first, outside a transaction; when it says no, `fallback` is the answer and nothing is written.
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

    /// The same for a thread that has no task to suspend.
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
        let watch = Task { await failOverdue() }
        lock.take()
        watch.cancel()
    }

    private func failOverdue() async {
        while !Task.isCancelled {
            let now = clock.sinceBoot()
            for operation in pending.withLock({ $0.expire(now: now) }) {
                operation.finish(.turnNeverCame(files, busyTimeout))
            }
            let next = pending.withLock { $0.nextDeadline } ?? now + busyTimeout.milliseconds
            do { try await Task.sleep(for: .milliseconds(max(10, next - now))) } catch { return }
        }
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
        try db.run(group.contains { $0.durability == .synced } ? "pragma synchronous = full" : "pragma synchronous = normal")
        try db.run("begin immediate")
        do {
            for operation in group {
                try operation.run(db, alone: group.count == 1, path: files.shown)
            }
            try db.run("commit")
        } catch {
            // SQLite has rolled back by itself after some errors.
            if db.isInsideTransaction { try db.run("rollback") }
            throw error
        }
    }
}

/// A look that may spare an operation its transaction.
struct Skip<T: Sendable>: Sendable {
    let isNeeded: @Sendable (Database) throws -> Bool
    let answer: T
}

/// One thing to be done by the writer, whatever it returns.
private class Operation: @unchecked Sendable {
    // Sendable: made by its caller, then touched only by the writer thread, or by whoever took it out of the queue.
    let durability: Writer.Durability

    init(_ durability: Writer.Durability) { self.durability = durability }

    /// Whether there is nothing to do, with the answer already known.
    func isAnswered(_ db: Database) -> Bool { fatalError("overridden") }
    /// Throws only when the whole transaction is lost; a failure of its own is kept as the answer.
    func run(_ db: Database, alone: Bool, path: String) throws { fatalError("overridden") }
    func fail(_ error: StoreError) { fatalError("overridden") }
    /// Hands the answer over.
    func deliver() { fatalError("overridden") }

    final func finish(_ error: StoreError) {
        fail(error)
        deliver()
    }
}

private final class Request<T: Sendable>: Operation, @unchecked Sendable {
    private let skip: Skip<T>?
    private let body: @Sendable (Database) throws -> T
    private let handOver: @Sendable (Result<T, StoreError>) -> Void
    private var answer: Result<T, StoreError>?

    init(
        _ durability: Writer.Durability, _ skip: Skip<T>?, _ body: @escaping @Sendable (Database) throws -> T,
        _ handOver: @escaping @Sendable (Result<T, StoreError>) -> Void
    ) {
        self.skip = skip
        self.body = body
        self.handOver = handOver
        super.init(durability)
    }

    override func isAnswered(_ db: Database) -> Bool {
        guard let skip else { return false }
        do {
            guard try !skip.isNeeded(db) else { return false }
            answer = .success(skip.answer)
            return true
        } catch {
            // The body meets the same trouble, inside a transaction that can report it.
            return false
        }
    }

    override func run(_ db: Database, alone: Bool, path: String) throws {
        if alone {
            answer = .success(try body(db))
            return
        }
        try db.run("savepoint operation")
        do {
            answer = .success(try body(db))
        } catch {
            guard db.isInsideTransaction else { throw error }
            try db.run("rollback to operation")
            answer = .failure(StoreError(error, path: path))
        }
        try db.run("release operation")
    }

    override func fail(_ error: StoreError) { answer = .failure(error) }

    override func deliver() { handOver(answer!) }
}
