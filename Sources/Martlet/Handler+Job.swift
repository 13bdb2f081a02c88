import Foundation
import MartletCore
import MartletWorker

extension Handler {
    /// Runs a job type: its args are decoded in the task that uses them, and every way a run can end becomes one outcome.
    ///
    /// - Parameter hasChildMode: whether the program, started again, runs jobs and nothing else.
    init<J: Job>(_ type: J.Type, hasChildMode: Bool) throws(InvalidInput) {
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
        let decoder = JSONDecoder()
        let alone: @Sendable (HandlerCall) async -> RunReport = { await pool.runAlone($0) }
        let run: @Sendable (HandlerCall) async -> RunReport = { call in
            isProcess ? await pool.run(call) : RunReport(await Self.outcome(of: type, call, decoder))
        }
        self.init(
            kind: J.kind,
            concurrency: J.concurrency
                ?? (isProcess && !J.adaptsConcurrency ? ProcessInfo.processInfo.activeProcessorCount : nil),
            adapts: J.adaptsConcurrency,
            timeout: J.timeout, retry: J.retry,
            // After the grace comes SIGKILL, which only the kernel can keep.
            unwind: settings.grace + .seconds(5), executor: J.executor,
            isolated: hasChildMode ? alone : nil, reporting: run)
    }

    /// What a child does for the worker it belongs to, by kind.
    static func bodies(_ jobs: [any Job.Type]) -> [String: ChildMode.Body] {
        let decoder = JSONDecoder()
        func body<J: Job>(_ type: J.Type) -> ChildMode.Body { { call in await outcome(of: type, call, decoder) } }
        var bodies: [String: ChildMode.Body] = [:]
        for job in jobs { bodies[job.kind] = body(job) }
        return bodies
    }

    private static func outcome<J: Job>(of type: J.Type, _ call: HandlerCall, _ decoder: JSONDecoder) async -> Outcome {
        let job: J
        do {
            job = try decoder.decode(J.self, from: Data(call.args.utf8))
        } catch {
            // The same args fit no better next time. After a fix of the type, a person's retry runs it again.
            return .discard(JobError(type: "decoding", message: "args do not fit \(J.self): \(Misfit.reason(error))"))
        }
        do {
            try await job.run(JobContext(call))
            return .completed(result: nil)
        } catch {
            return outcome(of: error)
        }
    }

    private static func outcome(of error: any Error) -> Outcome {
        switch error {
        case let snooze as Snooze: .snooze(snooze.delay)
        case let discard as Discard: .discard(JobError(type: "Discard", message: discard.reason))
        case let retry as Retry: .retry(JobError(type: "Retry", message: retry.reason), after: retry.delay)
        // Whether a person, a timeout or the end of the worker cancelled it, the worker knows and decides.
        case is CancellationError where Task.isCancelled: .interrupted
        case let error as JobError: .retry(error)
        default: .retry(JobError(type: "\(type(of: error))", message: "\(error)"))
        }
    }
}
