import MartletCore

/// One HTTP call as a handler: the args are the body of the request, the answer is the result.
///
/// What a status means is said by ``StatusRules``. Redirects are never followed, TLS certificates always checked, and private
/// addresses refused unless they are asked for; see ``PrivateAddress``. The job's own timeout bounds the whole call.
///
/// Each request carries `Idempotency-Key`, the same for all attempts of a job and for no other job, and `traceparent`.
package struct HTTPSpec: Sendable, Equatable {
    package enum Method: String, Sendable, CaseIterable {
        case get = "GET", head = "HEAD", post = "POST", put = "PUT", patch = "PATCH", delete = "DELETE"

        /// Whether args are sent. What a body means with the others, servers do not agree on.
        package var hasBody: Bool {
            switch self {
            case .post, .put, .patch: true
            case .get, .head, .delete: false
            }
        }
    }

    package struct Header: Sendable, Equatable {
        package let name: String
        package let value: HTTPText

        package init(_ name: String, _ value: HTTPText) { (self.name, self.value) = (name, value) }
    }

    package var method: Method
    /// May hold `{field}` in path and query: a field of args; see ``URLTemplate``. An address that is itself a secret has none.
    package var url: HTTPText
    package var headers: [Header]
    package var statuses: StatusRules
    /// Whether loopback, private and other special addresses may be called.
    package var allowsPrivate: Bool
    /// A PEM file of certificates to trust besides the system's.
    package var certificates: String?

    /// - Throws: ``InvalidInput`` about `url` or `headers.NAME`.
    package init(
        method: Method = .post, url: HTTPText, headers: [Header] = [], statuses: StatusRules = StatusRules(),
        allowsPrivate: Bool = false, certificates: String? = nil
    ) throws(InvalidInput) {
        if case .plain(let text) = url {
            let template = try URLTemplate(parsing: text, field: "url")
            try template.checkPublic(allowsPrivate: allowsPrivate, field: "url")
        }
        var seen: Set<String> = []
        for header in headers {
            try Self.check(header)
            guard seen.insert(header.name.lowercased()).inserted else {
                throw InvalidInput(field: "headers.\(header.name)", reason: "stands there twice")
            }
        }
        self.method = method
        self.url = url
        self.headers = headers
        self.statuses = statuses
        self.allowsPrivate = allowsPrivate
        self.certificates = certificates
    }

    /// Those that the connection itself needs, or that Martlet sends.
    private static let reserved: Set<String> = [
        "host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade", "expect",
        "proxy-connection", "idempotency-key", "traceparent",
    ]

    private static func check(_ header: Header) throws(InvalidInput) {
        let field = "headers.\(header.name)"
        let isName =
            !header.name.isEmpty
            && header.name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
                }
            }
        guard isName else { throw InvalidInput(field: field, reason: "is not the name of a header") }
        guard !reserved.contains(header.name.lowercased()) else {
            throw InvalidInput(field: field, reason: "is sent by Martlet itself")
        }
        switch header.value {
        case .plain(let text): try checkValue(text, field: field)
        case .environment(_, let prefix), .file(_, let prefix): try checkValue(prefix, field: field)
        }
    }

    static func checkValue(_ text: String, field: String) throws(InvalidInput) {
        guard text.utf8.allSatisfy({ ($0 >= 0x20 && $0 != 0x7F) || $0 == UInt8(ascii: "\t") }) else {
            throw InvalidInput(field: field, reason: "holds a line break or another control character")
        }
    }
}

extension URLTemplate {
    /// Addresses that are written out are refused at once; names when they are looked up.
    func checkPublic(allowsPrivate: Bool, field: String) throws(InvalidInput) {
        guard !allowsPrivate, let address = IPAddress(host) ?? IPAddress(anySpelling: host),
            let kind = PrivateAddress.kind(of: address)
        else { return }
        let same = address.description == host ? host : "\(host) is \(address), and that"
        throw InvalidInput(field: field, reason: "\(same) is \(kind); allow_private: true permits it")
    }
}
