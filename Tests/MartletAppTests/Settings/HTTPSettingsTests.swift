import MartletCore
import MartletWebhooks
import Testing

@testable import MartletApp

@Suite struct HTTPSettingsTests {
    private func spec(_ http: String) throws -> HTTPSpec {
        let file = try WorkerFile(parsing: Array("kinds: {a: {http: \(http)}}".utf8), file: "martlet.yaml")
        guard case .http(let spec) = file.kinds[0].work else {
            throw InvalidInput(field: "http", reason: "became something else")
        }
        return spec
    }

    @Test func `everything that can be said of a call is understood`() throws {
        let spec = try spec(
            """
            {
              url: "https://example.com/{user}", method: put, allow_private: true, certificates: ca.pem,
              headers: { X-A: 1, X-B: { env: B }, X-C: { file: /c, prefix: "Bearer " } },
              statuses: { 404: completed, 4xx: retry }
            }
            """)
        var rules = StatusRules()
        try rules.set("404", to: .completed, field: "")
        try rules.set("4xx", to: .retry, field: "")
        let expected = try HTTPSpec(
            method: .put, url: .plain("https://example.com/{user}"),
            headers: [
                .init("X-A", .plain("1")), .init("X-B", .environment("B")), .init("X-C", .file("/c", prefix: "Bearer ")),
            ], statuses: rules, allowsPrivate: true, certificates: "ca.pem")
        #expect(spec == expected)
    }

    @Test func `only the address must be said`() throws {
        #expect(try spec("{ url: 'https://example.com' }") == HTTPSpec(url: .plain("https://example.com")))
        #expect(try spec("{ url: { env: HOOK } }") == HTTPSpec(url: .environment("HOOK")))
    }

    @Test(arguments: [
        ("{}", "martlet.yaml:1:19: kinds.a.http: says no url"),
        ("https://example.com", "kinds.a.http: expected keys with values, found \"https://example.com\""),
        ("{ url: example.com }", "martlet.yaml:1:26: kinds.a.http.url: does not begin with http:// or https://"),
        ("{ url: 'https://{h}/' }", "kinds.a.http.url: has a field in its host or port"),
        (
            "{ url: 'http://0x7f.1/' }",
            "kinds.a.http.url: 0x7f.1 is 127.0.0.1, and that is a loopback address; allow_private"
        ),
        ("{ url: 'https://e.com', uri: x }", "kinds.a.http.uri: unknown key; did you mean url?"),
        ("{ url: 'https://e.com', metod: GET }", "kinds.a.http.metod: unknown key; did you mean method?"),
        ("{ url: 'https://e.com', timeout: 3s }", "kinds.a.http.timeout: unknown key; it stands beside http, not in it"),
        ("{ url: 'https://e.com', token: x }", "headers: { Authorization: { env: API_TOKEN, prefix: \"Bearer \" } }"),
        ("{ url: 'https://e.com', method: BREW }", "\"BREW\" is unknown; there is GET, HEAD, POST, PUT, PATCH, DELETE"),
        ("{ url: 'https://e.com', allow_private: yes }", "allow_private: expected true or false, found \"yes\""),
        (
            "{ url: 'https://e.com', statuses: { 404: ok } }",
            "statuses.404: \"ok\" is unknown; there is completed, retry, discard"
        ),
        (
            "{ url: 'https://e.com', statuses: { 700: retry } }",
            "statuses.700: \"700\" is neither a status, 200 to 599, nor 2xx"
        ),
        ("{ url: 'https://e.com', headers: { X: { env: A, file: b } } }", "headers.X: a secret comes from either env"),
        ("{ url: 'https://e.com', headers: { X: { prefix: b } } }", "headers.X: a secret comes from either env"),
        ("{ url: 'https://e.com', headers: { Host: b } }", "kinds.a.http.headers.Host: is sent by Martlet itself"),
        ("{ url: 'https://e.com', headers: { X: \"a\\nb\" } }", "headers.X: holds a line break"),
    ])
    func `a mistake is told with its place`(_ http: String, _ expected: String) {
        let error = #expect(throws: InvalidInput.self) { try spec(http) }
        #expect(error.map { "\($0)" }?.contains(expected) == true, "\(error.map { "\($0)" } ?? "")")
    }

    @Test(arguments: [
        ("{ command: [cat], http: { url: 'https://e.com' } }", "kinds.a.http: stands beside command; one of them runs"),
        ("{ http: { url: 'https://e.com' }, directory: / }", "kinds.a.directory: goes with command only"),
        ("{ http: { url: 'https://e.com' }, environment: [A] }", "kinds.a.environment: goes with command only"),
        ("{ timeout: 3s }", "kinds.a: says no command and no http"),
    ])
    func `a kind runs either a command or a call`(_ kind: String, _ expected: String) {
        let error = #expect(throws: InvalidInput.self) {
            try WorkerFile(parsing: Array("kinds: {a: \(kind)}".utf8), file: "martlet.yaml")
        }
        #expect(error.map { "\($0)" }?.hasSuffix(expected) == true, "\(error.map { "\($0)" } ?? "")")
    }
}
