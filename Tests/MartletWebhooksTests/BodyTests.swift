import MartletCore
import Testing

@testable import MartletWebhooks

/// Bodies longer than anybody wants.
@Suite struct BodyTests {
    /// What sockets and buffers on the way may hold beside what is read: far less than the whole.
    private static let slack = 32 << 20

    @Test func `a result is kept up to its cap, and says how much there was`() async throws {
        let limit = Limits.resultBytes
        try await TestServer.running({ _ in .large(status: 200, bytes: limit, tellsLength: false) }) { server in
            let result = try #require(try await HTTPExecutor(.local(server.url)).run(call()).result)
            #expect(result == "\"" + String(repeating: "a", count: limit) + "\"")
        }
        try await TestServer.running({ _ in .large(status: 200, bytes: limit + 1, tellsLength: true) }) { server in
            let result = try #require(try await HTTPExecutor(.local(server.url)).run(call()).result)
            #expect(result.hasSuffix("a… (cut: \(limit + 1) bytes in all)\"") && result.utf8.count == limit + 2)
        }
    }

    @Test(arguments: [true, false])
    func `of a gigabyte only the beginning is ever sent`(_ tellsLength: Bool) async throws {
        let gigabyte = 1 << 30
        try await TestServer.running({ _ in .large(status: 200, bytes: gigabyte, tellsLength: tellsLength) }) { server in
            let executor = try HTTPExecutor(.local(server.url))
            let result = try #require(try await executor.run(call()).result)
            #expect(
                result.hasSuffix(
                    tellsLength ? "… (cut: \(gigabyte) bytes in all)\"" : "… (cut: more than \(Limits.resultBytes) bytes)\"")
            )
            try await eventually("the connection is closed") { server.open == 0 }
            #expect(server.sent < Self.slack)
        }
    }

    @Test func `of an error's body the end is kept, of an endless one what was read`() async throws {
        let body = String(repeating: "x", count: 100_000) + "\nthe end"
        try await TestServer.running({ _ in .answer(500, headers: [("Content-Type", "text/plain")], body) }) { server in
            let detail = try #require(try await HTTPExecutor(.local(server.url)).run(call()).retried.detail)
            #expect(detail.hasPrefix("500 Internal Server Error\n") && detail.hasSuffix("x\nthe end"))
            #expect(detail.utf8.count <= Limits.errorDetailBytes && detail.utf8.count > Limits.errorDetailBytes - 8)
        }
        try await TestServer.running({ _ in .large(status: 500, bytes: 1 << 30, tellsLength: false) }) { server in
            let detail = try #require(try await HTTPExecutor(.local(server.url)).run(call()).retried.detail)
            #expect(detail.hasPrefix("500 Internal Server Error\n") && detail.hasSuffix("a…"))
            #expect(detail.utf8.count <= Limits.errorDetailBytes)
            try await eventually("the connection is closed") { server.open == 0 }
            #expect(server.sent < Self.slack)
        }
    }

    @Test func `a body that breaks off is an error, also after a good status`() async throws {
        try await TestServer.running({ _ in .torn }) { server in
            let error = try await HTTPExecutor(.local(server.url)).run(call()).retried
            #expect(
                error.message
                    == "the answer of \(server.url), 200 OK, broke off: the server closed the connection before its answer was complete"
            )
        }
    }
}
