import Foundation
import MartletCore
import MartletWorker

extension Handler {
    /// Runs a job type: its args are decoded in the task that uses them, and every way a run can end becomes one outcome.
    init<J: Job>(_ type: J.Type) throws(InvalidInput) {
        try Name.validate(J.kind, field: "kind")
        if let concurrency = J.concurrency, concurrency < 1 {
            throw InvalidInput(field: "concurrency", reason: "\(concurrency) of kind \(J.kind); at least 1")
        }
        if let timeout = J.timeout { try Limits.timeout.check(timeout, field: "timeout") }
        let decoder = JSONDecoder()
        self.init(kind: J.kind, concurrency: J.concurrency, timeout: J.timeout, retry: J.retry) { call in
            await Self.outcome(of: type, call, decoder)
        }
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
