import Martlet
import MartletCore
import MartletWorker

/// A run that a ``TestQueue`` has done.
public struct TestedRun: Sendable {
    public let id: JobID
    public let kind: String
    /// From 1.
    public let attempt: Int
    public let outcome: Outcome
    /// Whether it was written down. Not so after a ``Fault``: then the job runs again.
    public let counts: Bool
}

/// How jobs of one type are run in a test: always here, whatever their executor.
struct TestHandler: Sendable {
    let kind: String
    let retry: RetryPolicy
    let timeout: Duration?
    let run: @Sendable (HandlerCall) async -> RunReport

    init<J: Job>(_ type: J.Type, middleware: [any Middleware]) {
        let body = JobBody(type, middleware: middleware)
        kind = J.kind
        retry = J.retry
        timeout = J.timeout
        run = { await body.run($0) }
    }
}
