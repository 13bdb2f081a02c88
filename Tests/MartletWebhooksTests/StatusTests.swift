import MartletCore
import NIOHTTP1
import Testing

@testable import MartletWebhooks

/// What a server answers, and what becomes of the job.
@Suite struct StatusTests {
    private func outcome(
        _ reply: TestServer.Reply, method: HTTPSpec.Method = .post, retry: RetryPolicy = RetryPolicy(jitter: 0),
        now: Timestamp = Timestamp(microseconds: 0), _ statuses: [String: StatusRules.Verdict] = [:]
    ) async throws -> (outcome: Outcome, url: String) {
        try await TestServer.running({ _ in reply }) { server in
            var rules = StatusRules()
            for (key, verdict) in statuses { try rules.set(key, to: verdict, field: "statuses") }
            let spec = try HTTPSpec.local("\(server.url)/hook?key=k", method: method, statuses: rules)
            return (try await HTTPExecutor(spec, retry: retry, now: { now }).run(call()), "\(server.url)/hook")
        }
    }

    @Test func `JSON is kept as it is, other text as a string, nothing as nothing`() async throws {
        #expect(try await outcome(.answer(200, #" {"a": 1.50} "#)).outcome.result == #"{"a": 1.50}"#)
        #expect(try await outcome(.answer(201, "created\n")).outcome.result == #""created""#)
        #expect(try await outcome(.answer(200, "")).outcome.result == nil)
        #expect(try await outcome(.answer(204)).outcome.result == nil)
        #expect(try await outcome(.answer(200, "x"), method: .head).outcome.result == nil)
        #expect(try await outcome(.bytes([0x61, 0xFF, 0x00])).outcome.result == "\"a\u{FFFD}\u{FFFD}\"")
    }

    @Test(arguments: [408, 429, 500, 501, 502, 503, 504, 599])
    func `what may pass is tried again`(_ status: Int) async throws {
        let (outcome, url) = try await outcome(.answer(status, headers: [("Content-Type", "text/plain")], "busy\nline 2"))
        let error = try outcome.retried
        #expect(error.type == "http")
        #expect(error.message.hasPrefix("\(status)") && error.message.hasSuffix(" from POST \(url): busy"))
        guard case .retry(_, after: nil) = outcome else { throw Unexpected(outcome: outcome) }
    }

    @Test(arguments: [400, 401, 403, 404, 409, 410, 422, 451])
    func `what will not pass is discarded, with status and body`(_ status: Int) async throws {
        let headers = [
            ("Content-Type", "application/json"), ("X-Request-Id", "r-1"), ("Set-Cookie", "session=1"),
            ("Server", "s"),
        ]
        let (outcome, url) = try await outcome(.answer(status, headers: headers, #"{"error": "no"}"#))
        let error = try outcome.discarded
        #expect(error.message.hasSuffix(" from POST \(url): {\"error\": \"no\"}"))
        let detail = try #require(error.detail)
        #expect(detail.hasPrefix("\(status) "))
        #expect(detail.contains("content-type: application/json\n") && detail.contains("x-request-id: r-1\n"))
        #expect(!detail.contains("session") && detail.hasSuffix("\n\n{\"error\": \"no\"}"))
    }

    @Test func `control characters of a server reach no terminal`() async throws {
        let error = try await outcome(
            .answer(500, headers: [("Content-Type", "text/plain")], "\u{1B}[2Jboom\u{0}\r\n\u{7}")
        ).outcome.retried
        #expect(error.message.hasSuffix(": \u{FFFD}[2Jboom\u{FFFD}"))
        let plain = (error.message + (error.detail ?? "")).unicodeScalars.allSatisfy {
            $0.properties.generalCategory != .control || $0 == "\n"
        }
        #expect(plain)
    }

    @Test func `a page is not quoted in the message`() async throws {
        let (outcome, url) = try await outcome(.answer(502, headers: [("Content-Type", "text/html")], "<h1>Bad</h1>"))
        let error = try outcome.retried
        #expect(error.message == "502 Bad Gateway from POST \(url)")
        #expect(error.detail?.hasSuffix("<h1>Bad</h1>") == true)
    }

    @Test func `the configuration may judge otherwise`() async throws {
        #expect(try await outcome(.answer(404, "gone"), ["404": .completed]).outcome.result == #""gone""#)
        #expect(try await outcome(.answer(401), ["4xx": .retry]).outcome.retried.type == "http")
        #expect(try await outcome(.answer(202), ["202": .retry]).outcome.retried.message.hasPrefix("202 Accepted from "))
        #expect(try await outcome(.answer(500), ["5xx": .discard]).outcome.discarded.type == "http")
    }

    // MARK: Waiting

    @Test(arguments: [429, 503, 500])
    func `the seconds of Retry-After are waited`(_ status: Int) async throws {
        let (outcome, _) = try await outcome(.answer(status, headers: [("Retry-After", "120")]))
        guard case .retry(_, after: .seconds(120)) = outcome else { throw Unexpected(outcome: outcome) }
    }

    @Test func `the date of Retry-After is waited for`() async throws {
        let now = Timestamp(microseconds: 784_111_740_000_000)
        let (outcome, _) = try await outcome(
            .answer(503, headers: [("Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT")]), now: now)
        guard case .retry(let error, after: .seconds(37)) = outcome else { throw Unexpected(outcome: outcome) }
        #expect(error.detail?.contains("retry-after: Sun, 06 Nov 1994 08:49:37 GMT\n") == true)
    }

    @Test func `nobody waits for ever`() async throws {
        let (outcome, _) = try await outcome(.answer(503, headers: [("Retry-After", "99999999999")]))
        guard case .retry(_, after: RetryAfter.longest) = outcome else { throw Unexpected(outcome: outcome) }
    }

    // MARK: Redirects

    @Test(arguments: [301, 302, 303, 307, 308])
    func `a redirect is an error that says where it points, and is not followed`(_ status: Int) async throws {
        try await TestServer.running({ _ in .answer(status, headers: [("Location", "/elsewhere")], "moved") }) { server in
            let error = try await HTTPExecutor(.local("\(server.url)/a")).run(call()).discarded
            #expect(error.message.hasSuffix(" from POST \(server.url)/a points to /elsewhere; redirects are not followed"))
            #expect(server.requests.count == 1)
        }
    }
}
