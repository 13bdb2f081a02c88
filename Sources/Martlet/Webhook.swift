import Foundation
import MartletCore
import MartletWebhooks
import MartletWorker

/// A kind whose jobs are HTTP calls: the args are the body of the request, the answer's body is the result.
///
/// ```swift
/// let hook = Webhook(
///     kind: "notify", url: "https://example.com/users/{user}/events",
///     headers: ["Authorization": .environment("API_TOKEN", prefix: "Bearer ")])
/// let worker = try Worker(client, jobs: [Resize.self], webhooks: [hook])
/// ```
/// Statuses 2xx complete the job; 408, 429, 5xx and everything that keeps an answer from coming are tried again, not before
/// the time that `Retry-After` names; all others fail it. Redirects are not followed. Each request carries an
/// `Idempotency-Key`, the same for all attempts of its job, and a `traceparent`.
public struct Webhook: Sendable {
    public enum Method: String, Sendable {
        case get = "GET", head = "HEAD", post = "POST", put = "PUT", patch = "PATCH", delete = "DELETE"
    }

    /// Text of the program's own, or a secret that is read when the worker is made and shown nowhere.
    public struct Value: Sendable, ExpressibleByStringInterpolation {
        let text: HTTPText

        public init(stringLiteral value: String) { text = .plain(value) }

        private init(_ text: HTTPText) { self.text = text }

        public static func text(_ text: String) -> Value { Value(.plain(text)) }

        /// A variable of the environment, behind a prefix such as `Bearer `.
        public static func environment(_ name: String, prefix: String = "") -> Value {
            Value(.environment(name, prefix: prefix))
        }

        /// The content of a file, but for a newline at its end, behind a prefix.
        public static func file(_ path: String, prefix: String = "") -> Value { Value(.file(path, prefix: prefix)) }
    }

    /// What a status means for the job.
    public enum Verdict: String, Sendable {
        case completed, retry, discard
    }

    public var kind: String
    /// `{field}` in its path or query stands for that field of the args, percent-encoded: a string, number or boolean.
    public var url: Value
    /// Args are sent with POST, PUT and PATCH.
    public var method: Method
    public var headers: [String: Value]
    /// Other meanings than the usual ones, of a status (`"404"`), or of those of a class that have none of their own (`"4xx"`).
    public var statuses: [String: Verdict]
    /// Whether the host may stand for a loopback, private or otherwise special address. Looked at each time it is called.
    public var allowsPrivateAddresses: Bool
    /// A PEM file of certificates to trust besides the system's.
    public var certificates: String?
    /// Longest time one call may take; nil: no limit.
    public var timeout: Duration?
    /// At most this many at a time in one worker; nil: only the worker's own limit.
    public var concurrency: Int?
    /// Whether each worker finds out by itself how many at a time do best; ``concurrency`` is then the most. A server that answers
    /// 429 from some rate on is not called much above it.
    public var adaptsConcurrency: Bool
    public var retry: RetryPolicy

    public init(
        kind: String, url: Value, method: Method = .post, headers: [String: Value] = [:],
        statuses: [String: Verdict] = [:], allowsPrivateAddresses: Bool = false, certificates: String? = nil,
        timeout: Duration? = Limits.defaultTimeout, concurrency: Int? = nil, adaptsConcurrency: Bool = false,
        retry: RetryPolicy = RetryPolicy()
    ) {
        self.kind = kind
        self.url = url
        self.method = method
        self.headers = headers
        self.statuses = statuses
        self.allowsPrivateAddresses = allowsPrivateAddresses
        self.certificates = certificates
        self.timeout = timeout
        self.concurrency = concurrency
        self.adaptsConcurrency = adaptsConcurrency
        self.retry = retry
    }
}

extension Handler {
    /// - Throws: ``InvalidInput`` naming the webhook's field, also for a secret that is not there.
    convenience init(_ webhook: Webhook) throws(InvalidInput) {
        try Name.validate(webhook.kind, field: "kind")
        if let concurrency = webhook.concurrency, !Limits.concurrency.contains(concurrency) {
            throw InvalidInput(
                field: "concurrency",
                reason: "\(concurrency) of kind \(webhook.kind); 1 to \(Limits.concurrency.upperBound)")
        }
        if let timeout = webhook.timeout { try Limits.timeout.check(timeout, field: "timeout") }
        let endpoint: HTTPEndpoint
        do {
            endpoint = try HTTPEndpoint(webhook.spec(), environment: ProcessInfo.processInfo.environment)
        } catch {
            throw InvalidInput(field: "webhooks.\(webhook.kind).\(error.field)", reason: error.reason)
        }
        self.init(
            kind: webhook.kind, http: endpoint, concurrency: webhook.concurrency,
            adapts: webhook.adaptsConcurrency, timeout: webhook.timeout, retry: webhook.retry)
    }
}

extension Webhook {
    fileprivate func spec() throws(InvalidInput) -> HTTPSpec {
        var rules = StatusRules()
        for (status, verdict) in statuses {
            let known: StatusRules.Verdict =
                switch verdict {
                case .completed: .completed
                case .retry: .retry
                case .discard: .discard
                }
            try rules.set(status, to: known, field: "statuses")
        }
        let known: HTTPSpec.Method =
            switch method {
            case .get: .get
            case .head: .head
            case .post: .post
            case .put: .put
            case .patch: .patch
            case .delete: .delete
            }
        return try HTTPSpec(
            method: known, url: url.text, headers: headers.map { HTTPSpec.Header($0, $1.text) }, statuses: rules,
            allowsPrivate: allowsPrivateAddresses, certificates: certificates)
    }
}
