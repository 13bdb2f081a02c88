import MartletCore
import MartletWebhooks
import Yams

/// `{ url: "https://example.com/hook", headers: { Authorization: { env: API_TOKEN, prefix: "Bearer " } } }`.
enum HTTPSettings {
    private static let keys = ["url", "method", "headers", "statuses", "allow_private", "certificates"]

    private static let hints: [String: String] = {
        let secret = "a secret is a header, as in headers: { Authorization: { env: API_TOKEN, prefix: \"Bearer \" } }"
        let beside = "it stands beside http, not in it"
        return [
            "body": "the body is the job's args", "json": "the body is the job's args", "uri": "did you mean url?",
            "token": secret, "auth": secret, "authorization": secret, "Authorization": secret, "password": secret,
            "redirects": "redirects are not followed", "follow_redirects": "redirects are not followed",
            "timeout": beside, "retry": beside, "concurrency": beside,
        ]
    }()

    static func spec(_ value: YAMLValue) throws(InvalidInput) -> HTTPSpec {
        let mapping = try value.mapping()
        try mapping.checkKeys(keys, hints: hints)
        guard let url = mapping["url"] else { throw value.invalid("says no url") }
        let headers = try mapping["headers"]?.mapping()
        var list: [HTTPSpec.Header] = []
        for (name, value) in headers?.entries ?? [] { list.append(HTTPSpec.Header(name, try text(value))) }
        let method = try mapping["method"].map { value throws(InvalidInput) in try Self.method(value) } ?? .post
        let statuses = try mapping["statuses"].map { value throws(InvalidInput) in try Self.statuses(value) }
        let allowsPrivate = try mapping["allow_private"].map { value throws(InvalidInput) in try value.flag() }
        let certificates = try mapping["certificates"].map { value throws(InvalidInput) in try value.text() }
        let address = try text(url)
        do {
            return try HTTPSpec(
                method: method, url: address, headers: list, statuses: statuses ?? StatusRules(),
                allowsPrivate: allowsPrivate ?? false, certificates: certificates)
        } catch {
            let header = headers?.entries.first { "headers.\($0.key)" == error.field }
            let place = header.map { headers?.place(of: $0.key, or: $0.value) ?? $0.value } ?? url
            throw place.invalid(error.reason)
        }
    }

    /// Written there, or a secret that is kept elsewhere.
    private static func text(_ value: YAMLValue) throws(InvalidInput) -> HTTPText {
        guard case .mapping = value.node else { return .plain(try value.text()) }
        let mapping = try value.mapping()
        try mapping.checkKeys(["env", "file", "prefix"], hints: ["environment": "did you mean env?"])
        let prefix = try mapping["prefix"].map { value throws(InvalidInput) in try value.text() } ?? ""
        switch (mapping["env"], mapping["file"]) {
        case (let env?, nil): return .environment(try env.text(), prefix: prefix)
        case (nil, let file?): return .file(try file.text(), prefix: prefix)
        case (nil, nil), (.some, .some): throw value.invalid("a secret comes from either env: NAME or file: PATH")
        }
    }

    private static func method(_ value: YAMLValue) throws(InvalidInput) -> HTTPSpec.Method {
        let text = try value.text()
        if let method = HTTPSpec.Method(rawValue: text.uppercased()) { return method }
        let known = HTTPSpec.Method.allCases.map(\.rawValue).joined(separator: ", ")
        throw value.invalid("\(text.debugDescription) is unknown; there is \(known)")
    }

    private static func statuses(_ value: YAMLValue) throws(InvalidInput) -> StatusRules {
        var rules = StatusRules()
        let mapping = try value.mapping()
        for (key, entry) in mapping.entries {
            let text = try entry.text()
            guard let verdict = StatusRules.Verdict(rawValue: text) else {
                let known = StatusRules.Verdict.allCases.map(\.rawValue).joined(separator: ", ")
                throw entry.invalid("\(text.debugDescription) is unknown; there is \(known)")
            }
            try mapping.place(of: key, or: entry).checked { () throws(InvalidInput) in
                try rules.set(key, to: verdict, field: key)
            }
        }
        return rules
    }
}
