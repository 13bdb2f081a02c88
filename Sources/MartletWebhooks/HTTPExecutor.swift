import AsyncHTTPClient
import Foundation
import MartletCore
import MartletWorker
import NIOCore
import NIOHTTP1

/// Runs one HTTP call per job: look the host up, look at its addresses, ask one of them, judge the answer.
///
/// Cancellation, by a person, a timeout or the worker's end, closes the connection at once; what becomes of the job then is
/// the worker's decision.
final class HTTPExecutor: Sendable {
    private let endpoint: HTTPEndpoint
    private let retry: RetryPolicy
    private let resolver: Resolver
    private let lines: Lines
    private let now: @Sendable () -> Timestamp

    init(
        _ endpoint: HTTPEndpoint, concurrency: Int?, retry: RetryPolicy, lookup: HostLookup,
        now: @escaping @Sendable () -> Timestamp = HTTPExecutor.wallClock
    ) {
        self.endpoint = endpoint
        self.retry = retry
        self.now = now
        resolver = Resolver(lookup)
        lines = Lines(endpoint, connections: concurrency ?? Limits.concurrency.upperBound)
    }

    /// For dates that servers write, where they do not say what time it is there.
    static let wallClock: @Sendable () -> Timestamp = {
        Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1_000_000))
    }

    func run(_ call: HandlerCall) async -> Outcome {
        let request: HTTPClientRequest
        do throws(InvalidInput) {
            request = try self.request(call)
        } catch {
            // The same args fit no better next time.
            return .discard(
                JobError(type: "decoding", message: "args do not fit the address: `\(error.field)` \(error.reason)"))
        }
        do {
            switch try await resolver.answer(for: endpoint.url.host) {
            case .failed(let reason):
                return .retry(NetworkFailure.unresolved(endpoint.url.host, reason))
            case .addresses(let addresses):
                let allowed = endpoint.allowsPrivate ? addresses : addresses.filter { PrivateAddress.kind(of: $0) == nil }
                guard !allowed.isEmpty else { return .retry(NetworkFailure.refused(endpoint.url.host, addresses)) }
                return try await send(request, over: lines.to(allowed), attempt: call.attempt)
            }
        } catch {
            return Task.isCancelled ? .interrupted : .retry(clean(NetworkFailure.broken(endpoint.display, error)))
        }
    }

    // MARK: Asking

    private func request(_ call: HandlerCall) throws(InvalidInput) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: try endpoint.url.expanded(call.args))
        request.method = HTTPMethod(rawValue: endpoint.method.rawValue)
        for (name, value) in endpoint.headers { request.headers.add(name: name, value: value) }
        // Ids alone repeat from one database to the next.
        request.headers.add(name: "Idempotency-Key", value: "martlet-\(call.id)-\(call.enqueuedAt.microseconds)")
        TraceContext.add(to: &request.headers)
        if endpoint.method.hasBody { request.body = .bytes(ByteBuffer(bytes: call.args.utf8)) }
        return request
    }

    /// One address after the other, as long as no connection comes about.
    private func send(_ request: HTTPClientRequest, over lines: [Line], attempt: Int) async throws -> Outcome {
        var tried: [(address: IPAddress, error: any Error)] = []
        for line in lines {
            defer { withExtendedLifetime(line) {} }
            let response: HTTPClientResponse
            do {
                // The job's own timeout cancels the task.
                response = try await line.client.execute(request, deadline: .distantFuture)
            } catch  where NetworkFailure.isAboutConnecting(error) && !Task.isCancelled {
                tried.append((line.address, error))
                continue
            }
            self.lines.answered(line)
            return try await outcome(response, attempt: attempt, trace: request.headers.first(name: "traceparent") ?? "")
        }
        return .retry(NetworkFailure.unconnected(endpoint.url, tried))
    }

    // MARK: Judging

    private func outcome(_ response: HTTPClientResponse, attempt: Int, trace: String) async throws -> Outcome {
        let verdict = endpoint.statuses.verdict(Int(response.status.code))
        let answer: Answer
        do {
            answer = try await Answer(
                response, limit: verdict == .completed ? Limits.resultBytes : HTTPFailure.readBytes)
        } catch {
            if Task.isCancelled { return .interrupted }
            return .retry(clean(NetworkFailure.brokenBody(Answer.line(response.status), endpoint.display, error)))
        }
        switch verdict {
        case .completed:
            return .completed(result: answer.result(endpoint.redactor))
        case .discard:
            return .discard(HTTPFailure.error(answer, endpoint, trace: trace))
        case .retry:
            let asked = RetryAfter.asked(
                answer.headers.first(name: "retry-after"), date: answer.headers.first(name: "date"), now: now())
            let delay = asked.map { RetryAfter.delay($0, attempt: attempt, retry: retry, random: .random(in: 0..<1)) }
            return .retry(HTTPFailure.error(answer, endpoint, trace: trace), after: delay)
        }
    }

    private func clean(_ error: JobError) -> JobError {
        JobError(
            type: error.type, message: endpoint.redactor.clean(error.message),
            detail: error.detail.map { endpoint.redactor.clean($0) })
    }
}

extension Handler {
    /// Jobs of the kind are HTTP calls; see ``HTTPSpec``.
    package convenience init(
        kind: String, http endpoint: HTTPEndpoint, concurrency: Int? = nil, adapts: Bool = false,
        timeout: Duration? = Limits.defaultTimeout, retry: RetryPolicy = RetryPolicy(),
        onBlock: OnBlock = .warn, lookup: HostLookup = .system
    ) {
        let executor = HTTPExecutor(endpoint, concurrency: concurrency, retry: retry, lookup: lookup)
        // Other threads than the handlers' do most of the work of a call.
        self.init(
            kind: kind, concurrency: concurrency, adapts: adapts, timeout: timeout, retry: retry, onBlock: onBlock,
            crowds: false,
            run: { await executor.run($0) })
    }
}
