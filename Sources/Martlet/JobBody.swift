import Foundation
import MartletCore
import MartletWorker

/// Runs jobs of one type: args are decoded in the task that uses them, and every way a run can end becomes one outcome.
package final class JobBody<J: Job>: Sendable {
    private let chain: MiddlewareChain<J>
    private let decoder = JSONDecoder()
    private let encoder = JSONEncoder()
    /// Looked at once: a cast to a protocol costs more than a small job.
    private let hasResult = J.Output.self is any Encodable.Type

    /// - Parameter middleware: the worker's.
    package init(_ type: J.Type, middleware: [any Middleware]) { chain = MiddlewareChain(links: middleware + J.middleware) }

    /// Its frame lives as long as the job waits, and there may be very many that do: what surrounds the wait is done apart,
    /// and inlined, because the frame of a closure around it would live as long.
    @inline(__always)
    package func run(_ call: HandlerCall) async -> RunReport {
        let scope = RunScope()
        do {
            let job = try decoded(call)
            // No frame of a chain without links.
            guard chain.links.isEmpty else {
                return completed(try await chain.run(job, JobContext(call, scope)), scope)
            }
            return completed(try await job.run(JobContext(call, scope)), scope)
        } catch {
            return failed(error, scope)
        }
    }

    private struct Unfit: Error {
        let error: JobError
    }

    @inline(never)
    private func decoded(_ call: HandlerCall) throws -> J {
        do {
            return try call.args.utf8.withUnsafeBytes { bytes in
                guard let start = bytes.baseAddress else { return try decoder.decode(J.self, from: Data()) }
                // Read, not written, and the decoder makes a copy where the job keeps something that reads on.
                let data = Data(
                    bytesNoCopy: UnsafeMutableRawPointer(mutating: start), count: bytes.count, deallocator: .none)
                return try decoder.decode(J.self, from: data)
            }
        } catch {
            // The same args fit no better next time. After a fix of the type, a person's retry runs it again.
            let reason = "args do not fit \(J.self): \(Misfit.reason(error))"
            throw Unfit(error: JobError(type: "decoding", message: reason))
        }
    }

    @inline(never)
    private func completed(_ output: J.Output, _ scope: RunScope) -> RunReport {
        let followUps = scope.end()
        return RunReport(hasResult ? completed(with: output) : .completed(result: nil), followUps: followUps)
    }

    @inline(never)
    private func failed(_ error: any Error, _ scope: RunScope) -> RunReport {
        _ = scope.end()
        return RunReport(Self.outcome(of: error))
    }

    /// What cannot be kept will not fit next time either, and what the run did is done: it ends here, and says so.
    private func completed(with output: J.Output) -> Outcome {
        guard let output = output as? any Encodable else { return .completed(result: nil) }
        let data: Data
        do {
            data = try encoder.encode(output)
        } catch {
            return .discard(
                JobError(
                    type: "result", message: "the run ended well, but its \(J.Output.self) is no JSON: \(Self.reason(error))"
                ))
        }
        guard data.count <= Limits.resultBytes else {
            return .discard(
                JobError(
                    type: "result",
                    message: "the run ended well, but its result has \(data.count) bytes of JSON; at most "
                        + "\(Limits.resultBytes): keep it elsewhere and return its address"))
        }
        do throws(InvalidInput) {
            return .completed(result: try JSONText(validating: [UInt8](data), field: "result", maxBytes: Limits.resultBytes))
        } catch {
            return .discard(JobError(type: "result", message: "the run ended well, but its result \(error.reason)"))
        }
    }

    private static func reason(_ error: any Error) -> String {
        guard case .invalidValue(_, let context) = error as? EncodingError else { return "\(error)" }
        return context.debugDescription
    }

    private static func outcome(of error: any Error) -> Outcome {
        switch error {
        case let unfit as Unfit: .discard(unfit.error)
        case let snooze as Snooze: .snooze(snooze.delay)
        case is Discard: .discard(CapturedError.of(error))
        case let retry as Retry: .retry(CapturedError.of(error), after: retry.delay)
        // Whether a person, a timeout or the end of the worker cancelled it, the worker knows and decides.
        case is CancellationError where Task.isCancelled: .interrupted
        default: .retry(CapturedError.of(error))
        }
    }
}
