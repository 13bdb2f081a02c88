import Foundation
import MartletCore
import MartletWorker

extension Handler {
    /// Runs a job type, as its ``JobBody`` says, where its executor says.
    ///
    /// - Parameters:
    ///   - middleware: the worker's.
    ///   - hasChildMode: whether the program, started again, runs jobs and nothing else.
    package init<J: Job>(
        _ type: J.Type, middleware: [any Middleware] = [], hasChildMode: Bool
    ) throws(InvalidInput) {
        try Name.validate(J.kind, field: "kind")
        if let concurrency = J.concurrency, concurrency < 1 {
            throw InvalidInput(field: "concurrency", reason: "\(concurrency) of kind \(J.kind); at least 1")
        }
        if let timeout = J.timeout { try Limits.timeout.check(timeout, field: "timeout") }
        try J.limits.validate()
        guard J.limits == .none || J.executor == .process else {
            throw InvalidInput(
                field: "limits",
                reason: "of kind \(J.kind) hold for a process of its own only; its executor is \(J.executor)")
        }
        var settings = ProcessPool.Settings()
        settings.limits = J.limits
        let pool = ProcessPool(settings: settings)
        let isProcess = J.executor == .process
        let body = JobBody(type, middleware: middleware)
        let alone: @Sendable (HandlerCall) async -> RunReport = { await pool.runAlone($0) }
        let run: @Sendable (HandlerCall) async -> RunReport = { call in
            isProcess ? await pool.run(call) : await body.run(call)
        }
        self.init(
            kind: J.kind,
            concurrency: J.concurrency
                ?? (isProcess && !J.adaptsConcurrency ? ProcessInfo.processInfo.activeProcessorCount : nil),
            adapts: J.adaptsConcurrency,
            timeout: J.timeout, retry: J.retry,
            // After the grace comes SIGKILL, which only the kernel can keep.
            unwind: settings.grace + .seconds(5), executor: J.executor,
            onBlock: J.onBlock, isolated: hasChildMode ? alone : nil, reporting: run)
    }

    /// What a child does for the worker it belongs to, by kind.
    static func bodies(_ jobs: [any Job.Type], _ middleware: [any Middleware]) -> [String: ChildMode.Body] {
        func body<J: Job>(_ type: J.Type) -> ChildMode.Body {
            let body = JobBody(type, middleware: middleware)
            return { call in await body.run(call) }
        }
        var bodies: [String: ChildMode.Body] = [:]
        for job in jobs { bodies[job.kind] = body(job) }
        return bodies
    }
}
