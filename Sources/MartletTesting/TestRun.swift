import Foundation
import Logging
import Martlet
import MartletCore
import MartletWorker
import Synchronization

/// One run of one job, here and now, without a queue.
///
/// ```swift
/// let run = try await TestRun.perform(Resize(file: "a.png"), attempt: 3)
/// #expect(run.outcome == .completed(result: nil))
/// ```
/// The job goes through JSON, as it would through a queue, and its middleware is around it. Nothing is retried, and no timeout
/// ends it; `timeout` is only what the context says of it.
public struct TestRun<J: Job>: Sendable {
    /// What the run comes to. A thrown error is ``Outcome/retry(_:after:)``.
    public let outcome: Outcome
    /// What the run returned; nil when it threw.
    public let output: J.Output?
    /// Jobs that would be enqueued with its completion, in the order in which the run asked for them.
    public let followUps: [NewJob]
    /// What the run said of how far it is, all of it.
    public let progress: [(fraction: Double?, note: String?)]
    /// What went wrong, if anything did.
    public var error: JobError? {
        switch outcome {
        case .retry(let error, _), .discard(let error), .crashed(let error): error
        case .completed, .snooze, .cancelled, .interrupted: nil
        }
    }

    /// - Parameter middleware: the worker's, outside of the type's own.
    /// - Throws: what the job's own encoding throws; never what the run throws.
    public static func perform(
        _ job: J, id: JobID = JobID(rawValue: 1), attempt: Int = 1, maxAttempts: Int? = nil, queue: String = "default",
        lease: LeaseID = LeaseID(rawValue: 1), enqueuedAt: Timestamp? = nil, timeout: Duration? = J.timeout,
        middleware: [any Middleware] = [], logger: Logger = .quiet
    ) async throws -> TestRun<J> {
        let args = try JSONText(encoding: job, with: JSONEncoder())
        let record = Record()
        let body = JobBody(J.self, middleware: [record] + middleware)
        let heard = Heard()
        let report = await body.run(
            HandlerCall(
                id: id, kind: J.kind, queue: queue, attempt: attempt, maxAttempts: maxAttempts ?? J.retry.maxAttempts,
                lease: lease, args: args, enqueuedAt: enqueuedAt ?? TestClock().now(), timeout: timeout,
                progress: heard, logger: logger))
        return TestRun(
            outcome: report.outcome, output: record.output.withLock { $0 } as? J.Output, followUps: report.followUps,
            progress: heard.all.withLock { $0 })
    }

    /// The follow-ups of a type, decoded.
    public func followUps<Next: Job>(_ type: Next.Type) throws -> [Next] {
        try followUps.filter { $0.kind == Next.kind }.map { try JSONDecoder().decode(Next.self, from: Data($0.args.utf8)) }
    }

    private final class Heard: ProgressSink {
        let all = Mutex<[(fraction: Double?, note: String?)]>([])

        func tell(_ call: HandlerCall, fraction: Double?, note: String?) { all.withLock { $0.append((fraction, note)) } }
    }

    /// Outermost, so that it sees what the worker would.
    private final class Record: Middleware {
        let output = Mutex<(any Sendable)?>(nil)

        func run<Other: Job>(
            _ job: Other, context: JobContext, next: @escaping @Sendable () async throws -> Other.Output
        ) async throws -> Other.Output {
            let result = try await next()
            output.withLock { $0 = result }
            return result
        }
    }
}

extension Logger {
    /// Says nothing.
    public static var quiet: Logger { Logger(label: "martlet.testing", factory: { _ in SwiftLogNoOpLogHandler() }) }
}
