import Foundation
import Logging
import MartletCore
import MartletWorker
import Testing

@testable import MartletWebhooks

extension HTTPSpec {
    /// A call of a test's own server.
    static func local(
        _ url: String, method: Method = .post, headers: [Header] = [], statuses: StatusRules = StatusRules()
    ) throws -> HTTPSpec {
        try HTTPSpec(method: method, url: .plain(url), headers: headers, statuses: statuses, allowsPrivate: true)
    }
}

extension HTTPExecutor {
    convenience init(
        _ spec: HTTPSpec, environment: [String: String] = [:], retry: RetryPolicy = RetryPolicy(jitter: 0),
        lookup: HostLookup = .system, now: @escaping @Sendable () -> Timestamp = HTTPExecutor.wallClock
    ) throws {
        self.init(
            try HTTPEndpoint(spec, environment: environment), concurrency: 10, retry: retry, lookup: lookup, now: now)
    }
}

func call(_ args: String = "{}", id: Int64 = 7, attempt: Int = 1) -> HandlerCall {
    HandlerCall(
        id: JobID(rawValue: id), kind: "hook", queue: "default", attempt: attempt, maxAttempts: 25,
        lease: LeaseID(rawValue: 1), args: JSONText(trusted: Array(args.utf8)), enqueuedAt: Timestamp(microseconds: 42),
        timeout: nil, logger: .silent)
}

extension Logger {
    static let silent = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
}

struct Unexpected: Error { let outcome: Outcome }

extension Outcome {
    /// The error of an attempt that is to be made again.
    var retried: JobError {
        get throws {
            guard case .retry(let error, _) = self else { throw Unexpected(outcome: self) }
            return error
        }
    }

    var discarded: JobError {
        get throws {
            guard case .discard(let error) = self else { throw Unexpected(outcome: self) }
            return error
        }
    }

    var result: String? {
        get throws {
            guard case .completed(let result) = self else { throw Unexpected(outcome: self) }
            return result?.string
        }
    }
}

/// Waits for a fact; the limit is only there so that a failure ends.
func eventually(
    _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation, _ fact: () -> Bool
) async throws {
    let deadline = ContinuousClock.now + .seconds(60)
    while !fact() {
        try #require(ContinuousClock.now < deadline, what, sourceLocation: sourceLocation)
        try await Task.sleep(for: .milliseconds(1))
    }
}

func message(_ body: () throws -> Void) -> String? {
    do {
        try body()
        return nil
    } catch {
        return "\(error)"
    }
}
