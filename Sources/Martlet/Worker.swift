import Foundation
import Logging
import MartletCore
import MartletStore
import MartletWorker
import ServiceLifecycle
import UnixSignals

/// Runs jobs inside your program.
///
/// ```swift
/// let client = try await Client(.sqlite("martlet.db"))
/// let worker = try Worker(client, jobs: [Resize.self, SendMail.self])
/// try await worker.run(stoppingOn: [.sigterm, .sigint])
/// ```
/// A program that is all worker runs it so. One with more to run puts it into a `ServiceGroup` of swift-service-lifecycle,
/// which traps the signals and calls ``run()``: a graceful shutdown lets running jobs end and gives back those that have not
/// started; cancelling the task of ``run()`` does the same in a hurry. A program that calls ``run()`` alone and dies of a
/// signal gives nothing back: its jobs wait until others see that it is dead.
public final class Worker: Service {
    /// How a worker behaves. The defaults suit most programs.
    public struct Configuration: Sendable {
        /// What listings call it, and by what it finds again how many runs at a time did best; letters, digits and
        /// `_ - . : /`. nil: the host's name and the process's number.
        public var name: String?
        /// At most this many runs at a time.
        public var concurrency = 100
        /// At most this many threads for jobs with ``Executor/blocking`` and those that ``OnBlock/move`` sends there, all kinds
        /// together; the others wait for one. 1 to 4 096.
        public var blockingThreads = Limits.defaultBlockingThreads
        /// nil: all queues.
        public var queues: [String]?
        /// How long the worker may be silent before others take its jobs. 1 s to 1 h.
        public var lease: Duration = .seconds(30)
        /// How often the database is asked for work when nothing hints at any. 10 ms to 1 min.
        public var poll: Duration = .seconds(1)
        /// How long a graceful shutdown waits for running jobs before it cancels them. 0 to 24 h.
        public var grace: Duration = .seconds(30)
        /// The process's resident memory in bytes above which the worker stops claiming, lets running jobs end as in a graceful
        /// shutdown, and throws ``MemoryExceeded``, so that the program can start anew. nil: no limit; at least 16 MiB.
        public var maxMemory: Int?
        /// End when nothing is available, running here or due.
        public var drain = false
        /// How long ended jobs are kept. 0 to 100 years.
        public var keepCompleted: Duration = .seconds(86_400)
        public var keepFailed: Duration = .seconds(30 * 86_400)
        /// Around each run of every kind, the first outermost; see ``Middleware``.
        public var middleware: [any Middleware] = []
        /// Are told what happens.
        public var observers: [any WorkerObserver] = []
        /// Names of args and the like whose values are kept out of errors and of Martlet's own log lines; see ``Redaction``.
        public var redact: Set<String> = Redaction.defaultKeys
        /// What children see of this process's environment: for all kinds with ``Executor/process``, besides their own
        /// ``Job/environment``.
        public var environment: ChildEnvironment = []

        public init() {}
    }

    private let service: WorkerService
    private static let childKinds = ChildKinds()

    /// Runs jobs for the worker that started this process, if there is one, and then never returns; otherwise returns at once.
    ///
    /// Jobs with ``Executor/process`` run in children: this program, started again with the same arguments. Whatever the program
    /// does before this call it does in each child, too: with this call first in `main`, that is nothing.
    ///
    /// ```swift
    /// static func main() async throws {
    ///     LoggingSystem.bootstrap(StreamLogHandler.standardError)   // where it is wanted in children, too
    ///     await Worker.runAsChild(jobs: [Resize.self, SendMail.self])
    ///     let client = try await Client(.sqlite("martlet.db"))
    ///     …
    /// ```
    /// What a run logs by ``JobContext/logger`` becomes part of the worker's log. Loggers that the program makes itself write,
    /// in a child, wherever the logging system was bootstrapped to before this call; a child's standard output and error are
    /// the worker's.
    ///
    /// A program that calls it can also run suspects alone: a job that two workers held when they died gets a child of its own
    /// the next time, so that the culprit takes nobody with it. One that was held by a single worker that died runs beside few
    /// such jobs at a time.
    ///
    /// - Parameters:
    ///   - jobs: those with ``Executor/process`` at least; of the others, those that shall run alone after a crash.
    ///   - middleware: what ``Configuration/middleware`` says in the worker, for the runs that happen in children.
    public static func runAsChild(jobs: [any Job.Type], middleware: [any Middleware] = []) async {
        childKinds.add(jobs.map { $0.kind })
        if ChildMode.isChild { await ChildMode.serve(Handler.bodies(jobs, middleware)) }
    }

    /// - Parameter webhooks: kinds that are HTTP calls, and need no type of this program.
    /// - Throws: ``InvalidInput`` when two job types share a kind, a kind is no name, a limit makes no sense, a secret that a
    ///   webhook needs is not there, or a job that needs a child process is not among those of ``runAsChild(jobs:middleware:)``,
    ///   which has to be called first: a child that knew nothing of it would run the whole program once more.
    public init(
        _ client: Client, jobs: [any Job.Type], webhooks: [Webhook] = [], configuration: Configuration = Configuration(),
        logger: Logger = Logger(label: "martlet")
    ) throws(InvalidInput) {
        var handlers: [Handler] = []
        for job in jobs {
            guard !handlers.contains(where: { $0.kind == job.kind }) else {
                throw InvalidInput(field: "jobs", reason: "two of them have the kind \(job.kind)")
            }
            try Self.childKinds.check(job)
            handlers.append(
                try Handler(
                    job, middleware: configuration.middleware, environment: configuration.environment,
                    hasChildMode: Self.childKinds.contains(job.kind)))
            if job.executor == .process { Self.warn(job, configuration.environment, logger) }
        }
        for webhook in webhooks {
            guard !handlers.contains(where: { $0.kind == webhook.kind }) else {
                throw InvalidInput(field: "webhooks", reason: "the kind \(webhook.kind) is there already")
            }
            handlers.append(try Handler(webhook))
        }
        let observers = configuration.observers
        let tell: @Sendable (WorkerEvent) -> Void = { event in for observer in observers { observer.observe(event) } }
        service = WorkerService(
            store: client.store, handlers: handlers, configuration: try WorkerConfiguration(configuration), logger: logger,
            observer: observers.isEmpty ? nil : tell)
    }

    private static func warn(_ job: any Job.Type, _ environment: ChildEnvironment, _ logger: Logger) {
        let ours = ProcessInfo.processInfo.environment
        for name in environment.merging(job.environment).missing(in: ours) {
            logger.warning(
                "environment variable is not set", metadata: ["kind": "\(job.kind)", "variable": "\(name)"])
        }
    }

    /// Works until it is told to stop, or has drained the queue.
    /// - Throws: ``MemoryExceeded`` after a graceful end, when the process had more memory than
    ///   ``Configuration/maxMemory``: start the program again. ``MartletError`` when the database refuses.
    public func run() async throws {
        do { try await service.run() } catch let error as StoreError { throw MartletError(error) }
    }

    /// Works until one of the signals arrives, which is a graceful shutdown: running jobs end, within the grace, and those that
    /// have not started are given back. A second signal cancels what still runs at once.
    ///
    /// The signals are trapped from the call on, and stay without their usual effect after it. Not for use in a
    /// `ServiceGroup`, which traps them itself.
    public func run(stoppingOn signals: [UnixSignal]) async throws {
        // Before the first job starts, so that no signal falls between.
        let arrivals = await UnixSignalsSequence(trapping: signals)
        let service = service
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                var mode = StopMode.graceful
                for await _ in arrivals {
                    service.stop(mode)
                    mode = .now
                }
            }
            try await run()
            group.cancelAll()
        }
    }
}

extension ClosedRange<Duration> {
    func check(_ value: Duration, field: String) throws(InvalidInput) {
        guard !contains(value) else { return }
        throw InvalidInput(field: field, reason: "is out of range; \(lowerBound.text) to \(upperBound.text)")
    }
}

extension WorkerConfiguration {
    fileprivate init(_ configuration: Worker.Configuration) throws(InvalidInput) {
        if let name = configuration.name { try Name.validate(name, field: "name") }
        guard Limits.concurrency.contains(configuration.concurrency) else {
            throw InvalidInput(
                field: "concurrency",
                reason: "\(configuration.concurrency) is out of range; 1 to \(Limits.concurrency.upperBound)")
        }
        guard Limits.blockingThreads.contains(configuration.blockingThreads) else {
            throw InvalidInput(
                field: "blockingThreads",
                reason: "\(configuration.blockingThreads) is out of range; 1 to \(Limits.blockingThreads.upperBound)")
        }
        try Limits.lease.check(configuration.lease, field: "lease")
        try Limits.poll.check(configuration.poll, field: "poll")
        try Limits.grace.check(configuration.grace, field: "grace")
        try Limits.retention.check(configuration.keepCompleted, field: "keepCompleted")
        try Limits.retention.check(configuration.keepFailed, field: "keepFailed")
        if let maxMemory = configuration.maxMemory, !Limits.workerMemory.contains(maxMemory) {
            throw InvalidInput(field: "maxMemory", reason: "is out of range; 16 MiB to 1 PiB")
        }
        self.init(
            name: configuration.name, version: Version.current, queues: configuration.queues,
            concurrency: configuration.concurrency,
            blockingThreads: configuration.blockingThreads, lease: configuration.lease, poll: configuration.poll,
            grace: configuration.grace, maxMemory: configuration.maxMemory,
            drain: configuration.drain,
            retention: RetentionPolicy(completed: configuration.keepCompleted, failed: configuration.keepFailed),
            redaction: Redaction(keys: configuration.redact))
    }
}
