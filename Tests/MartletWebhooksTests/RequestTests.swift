import MartletCore
import NIOHTTP1
import Testing

@testable import MartletWebhooks

/// What is sent.
@Suite struct RequestTests {
    @Test func `args are the body, and the request says whose it is`() async throws {
        try await TestServer.running({ _ in .answer(200) }) { server in
            let args = #"{"id": 7, "n": 1.50}"#
            let executor = try HTTPExecutor(
                .local(
                    "\(server.url)/a%2Fb/{id}?x={n}", method: .put,
                    headers: [.init("X-Mine", .plain("yes")), .init("Content-Type", .plain("application/x+json"))]))
            _ = try await executor.run(call(args)).result
            let request = try #require(server.requests.first)
            #expect(request.method == "PUT" && request.uri == "/a%2Fb/7?x=1.50" && request.body == args)
            #expect(request.headers["host"] == ["127.0.0.1:\(server.port)"])
            #expect(request.headers["x-mine"] == ["yes"])
            #expect(request.headers["content-type"] == ["application/x+json"])
            #expect(request.headers["content-length"] == ["\(args.utf8.count)"])
            #expect(request.headers["user-agent"] == ["martlet/\(Version.current)"])
        }
    }

    @Test func `the idempotency key is the job's, whatever the attempt; the trace is the attempt's`() async throws {
        try await TestServer.running({ _ in .answer(500) }) { server in
            let executor = try HTTPExecutor(.local(server.url))
            var errors: [JobError] = []
            for attempt in 1...2 { errors.append(try await executor.run(call(id: 1, attempt: attempt)).retried) }
            _ = try await executor.run(call(id: 2)).retried
            let keys = server.requests.map { $0.headers["idempotency-key"] }
            #expect(keys == [["martlet-1-42"], ["martlet-1-42"], ["martlet-2-42"]])
            let traces = server.requests.compactMap { $0.headers["traceparent"].first }
            #expect(Set(traces).count == 3)
            for trace in traces {
                #expect(try #/00-[0-9a-f]{32}-[0-9a-f]{16}-01/#.wholeMatch(in: trace) != nil)
            }
            for (error, trace) in zip(errors, traces) {
                #expect(error.detail?.contains("traceparent sent: \(trace)\n") == true)
            }
        }
    }

    @Test(arguments: [HTTPSpec.Method.get, .head, .delete])
    func `a method without a body sends none`(_ method: HTTPSpec.Method) async throws {
        try await TestServer.running({ _ in .answer(200) }) { server in
            _ = try await HTTPExecutor(.local(server.url, method: method)).run(call(#"{"a": 1}"#)).result
            let request = try #require(server.requests.first)
            #expect(request.method == method.rawValue && request.body.isEmpty && request.uri == "/")
            #expect(!request.headers.contains(name: "content-type"))
        }
    }

    @Test func `args that do not fit the address are discarded, and nothing is sent`() async throws {
        try await TestServer.running({ _ in .answer(200) }) { server in
            let error = try await HTTPExecutor(.local("\(server.url)/{user}")).run(call("{}")).discarded
            #expect(error == JobError(type: "decoding", message: "args do not fit the address: `user` is missing"))
            #expect(server.connections == 0)
        }
    }

    @Test func `connections are used again`() async throws {
        try await TestServer.running({ _ in .answer(200) }) { server in
            let executor = try HTTPExecutor(.local(server.url))
            for _ in 0..<20 { _ = try await executor.run(call()).result }
            #expect(server.requests.count == 20 && server.connections == 1)
        }
    }

    @Test func `connections end with the worker that made them`() async throws {
        try await TestServer.running({ _ in .answer(200) }) { server in
            do {
                let executor = try HTTPExecutor(.local(server.url))
                _ = try await executor.run(call()).result
                #expect(server.open == 1)
            }
            try await eventually("the connection is closed") { server.open == 0 }
        }
    }

    @Test(arguments: [
        ("Host", "headers.Host: is sent by Martlet itself"),
        ("idempotency-key", "headers.idempotency-key: is sent by Martlet itself"),
        ("Transfer-Encoding", "headers.Transfer-Encoding: is sent by Martlet itself"),
        ("X Y", "headers.X Y: is not the name of a header"), ("", "headers.: is not the name of a header"),
        ("X:", "headers.X:: is not the name of a header"),
    ])
    func `a header that may not be set is refused`(_ name: String, _ reason: String) {
        #expect(
            message { _ = try HTTPSpec(url: .plain("https://example.com"), headers: [.init(name, .plain("x"))]) } == reason)
    }

    @Test func `a header cannot smuggle in another one`() {
        let headers = [HTTPSpec.Header("X", .plain("a\r\nEvil: 1"))]
        #expect(
            message { _ = try HTTPSpec(url: .plain("https://example.com"), headers: headers) }
                == "headers.X: holds a line break or another control character")
    }
}
