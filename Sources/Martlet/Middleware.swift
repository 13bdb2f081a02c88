import MartletCore
import Synchronization

/// Something around each run: logging, tracing, a transaction, a translation of errors.
///
/// ```swift
/// struct Transactions: Middleware {
///     let database: Database
///
///     func run<J: Job>(
///         _ job: J, context: JobContext, next: @escaping @Sendable () async throws -> J.Output
///     ) async throws -> J.Output {
///         try await database.transaction { try await next() }
///     }
/// }
/// ```
/// A worker's come first, in their order, then those of the job's type, then the run: the first is the outermost. It begins when
/// the args have been decoded, in the run's own task, on its thread and in its child process if it has one; it sees what the run
/// returns and throws, and what it returns or throws instead counts, ``Discard``, ``Retry`` and ``Snooze`` included. It may call
/// `next` more than once, or not at all.
public protocol Middleware: Sendable {
    func run<J: Job>(
        _ job: J, context: JobContext, next: @escaping @Sendable () async throws -> J.Output
    ) async throws -> J.Output
}

/// A middleware that needs no type of its own.
///
/// ```swift
/// configuration.middleware = [
///     AroundRuns { job, context, next in
///         do { try await next() } catch is NotFound { throw Discard("gone") }
///     }
/// ]
/// ```
public struct AroundRuns: Middleware {
    public typealias Body =
        @Sendable (any Job, JobContext, _ next: @escaping @Sendable () async throws -> Void) async throws -> Void

    private let body: Body

    /// - Parameter body: calls `next`, or throws. A body that returns without having called it fails the attempt.
    public init(_ body: @escaping Body) { self.body = body }

    public func run<J: Job>(
        _ job: J, context: JobContext, next: @escaping @Sendable () async throws -> J.Output
    ) async throws -> J.Output {
        let result = Box<J.Output>()
        try await body(job, context) {
            let output = try await next()
            result.value.withLock { $0 = output }
        }
        guard let output = result.value.withLock({ $0 }) else {
            throw JobFailure("a middleware returned without having called what it is around")
        }
        return output
    }

    private final class Box<Value: Sendable>: Sendable {
        let value = Mutex<Value?>(nil)
    }
}

/// The run of a job type with everything around it.
struct MiddlewareChain<J: Job>: Sendable {
    let links: [any Middleware]

    func run(_ job: J, _ context: JobContext, from index: Int = 0) async throws -> J.Output {
        guard index < links.count else { return try await job.run(context) }
        return try await links[index].run(job, context: context) { try await run(job, context, from: index + 1) }
    }
}
