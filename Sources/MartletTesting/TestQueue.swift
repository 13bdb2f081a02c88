import Foundation
import Logging
import Martlet
import MartletCore
import MartletSQLite
import MartletStore
import MartletWorker
import Synchronization

/// A queue for one test: a database of its own in a temporary directory, a clock that the test moves, and a worker that runs jobs
/// when it is told to, one after another.
///
/// ```swift
/// @Test func `a thumbnail is made and announced`() async throws {
///     try await withTestQueue(jobs: [Resize.self, Announce.self]) { queue in
///         try await signUp(using: queue.client)
///         #expect(try await queue.enqueued(Resize.self) == [Resize(file: "a.png")])
///         try await queue.drain()
///         queue.advance(by: .seconds(3_600))
///         try await queue.drain()
///     }
/// }
/// ```
/// What is tested so is the real thing: the same store, the same retries, the same fencing. Differences to a worker: jobs run one at
/// a time and in this process, whatever their executor; timeouts end nothing; retries come without jitter.
public final class TestQueue: Sendable {
    /// What the code under test enqueues with.
    public let client: Client
    public let clock: TestClock
    let handlers: [TestHandler]
    let logger: Logger
    let state: Mutex<State>
    private let directory: URL

    struct State {
        var worker: WorkerID
        var faults: [(kind: String, fault: Fault)] = []
        /// What runs now.
        var running: [Int: Task<RunReport, Never>] = [:]
        var lastRun = 0
    }

    /// - Parameter middleware: as in ``Worker/Configuration``.
    public init(
        jobs: [any Job.Type], middleware: [any Middleware] = [], clock: TestClock = TestClock(), logger: Logger = .quiet
    ) async throws {
        func handler<J: Job>(_ type: J.Type) -> TestHandler { TestHandler(type, middleware: middleware) }
        handlers = jobs.map { handler($0) }
        for (index, handler) in handlers.enumerated() where handlers[..<index].contains(where: { $0.kind == handler.kind }) {
            throw InvalidInput(field: "jobs", reason: "two of them have the kind \(handler.kind)")
        }
        self.clock = clock
        self.logger = logger
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let path = directory.appendingPathComponent("martlet.db").path
        let store = try await SQLiteStore.open(SQLiteOptions(path: path, clock: clock))
        client = Client(store: store)
        state = Mutex(State(worker: try await store.register(Self.registration(handlers.map(\.kind)))))
    }

    /// Removes the database.
    public func close() async throws {
        await client.close()
        try FileManager.default.removeItem(at: directory)
    }

    // MARK: Time

    /// Jobs that are due by then run in the next ``drain(advancing:limit:)``.
    public func advance(by duration: Duration) { clock.advance(by: duration) }

    // MARK: What is there

    /// The jobs of a type that wait, now or for their time, in the order in which they were enqueued.
    public func enqueued<J: Job>(_ type: J.Type) async throws -> [J] {
        let decoder = JSONDecoder()
        return try await jobs(type).filter { !$0.state.isFinal && $0.state != .running }
            .map { try decoder.decode(J.self, from: Data($0.args.utf8)) }
    }

    /// All jobs of a type, also those that have ended, in the order in which they were enqueued.
    public func jobs<J: Job>(_ type: J.Type) async throws -> [JobStatus] {
        var ids: [JobID] = []
        var query = JobQuery(filter: JobFilter(kind: J.kind), limit: 1_000)
        repeat {
            let page = try await client.store.list(query)
            ids += page.jobs.map(\.id)
            query.after = page.next
        } while query.after != nil
        var jobs: [JobStatus] = []
        for id in Set(ids).sorted() {
            if let job = try await client.job(id) { jobs.append(job) }
        }
        return jobs
    }

    // MARK: Faults

    /// Lets the next run of a type meet a fault. Several wait for as many runs.
    public func inject<J: Job>(_ fault: Fault, into type: J.Type) {
        state.withLock { $0.faults.append((J.kind, fault)) }
    }

    /// Ends the leases of what runs now, as if its worker had been silent for too long: its task is cancelled, nothing it says
    /// counts, and the job runs again. To be called from what a job under test calls; see also ``Fault/expireLease``.
    public func expireLeases() async throws {
        clock.expireLeases(of: Self.lease)
        _ = try await client.store.recover()
        let worker = try await client.store.register(Self.registration(handlers.map(\.kind)))
        let running = state.withLock { state in
            state.worker = worker
            return state.running
        }
        for run in running.values { run.cancel() }
    }

    private static let lease: Duration = .seconds(30)

    private static func registration(_ kinds: [String]) -> WorkerRegistration {
        WorkerRegistration(
            name: "test", host: "localhost", pid: Int(getpid()), version: Version.current, kinds: kinds, queues: nil,
            concurrency: 1, lease: lease)
    }
}

/// A queue for the time of a call.
public func withTestQueue<T>(
    jobs: [any Job.Type], middleware: [any Middleware] = [], clock: TestClock = TestClock(), logger: Logger = .quiet,
    _ body: (TestQueue) async throws -> T
) async throws -> T {
    let queue = try await TestQueue(jobs: jobs, middleware: middleware, clock: clock, logger: logger)
    do {
        let result = try await body(queue)
        try await queue.close()
        return result
    } catch {
        try await queue.close()
        throw error
    }
}
