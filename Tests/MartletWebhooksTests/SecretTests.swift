import Foundation
import MartletCore
import MartletTestSupport
import NIOHTTP1
import Testing

@testable import MartletWebhooks

@Suite struct SecretTests {
    private func endpoint(_ header: HTTPText, _ environment: [String: String] = [:]) -> String? {
        message {
            _ = try HTTPEndpoint(
                HTTPSpec(url: .plain("https://example.com"), headers: [.init("Authorization", header)]),
                environment: environment)
        }
    }

    @Test func `secrets come from the environment and from files, and are sent`() async throws {
        try await withTemporaryDirectory { directory in
            let file = directory.appendingPathComponent("token")
            try "from file\n".write(to: file, atomically: true, encoding: .utf8)
            try await TestServer.running({ _ in .answer(200) }) { server in
                let spec = try HTTPSpec.local(
                    server.url,
                    headers: [
                        .init("Authorization", .environment("TOKEN", prefix: "Bearer ")), .init("X-Key", .file(file.path)),
                    ])
                _ = try await HTTPExecutor(spec, environment: ["TOKEN": "from env"]).run(call()).result
                let headers = try #require(server.requests.first).headers
                #expect(headers["authorization"] == ["Bearer from env"] && headers["x-key"] == ["from file"])
            }
        }
    }

    @Test func `a secret that is missing is told at the start, by its field`() async throws {
        #expect(
            endpoint(.environment("TOKEN")) == "headers.Authorization: the environment variable TOKEN is not set")
        #expect(
            endpoint(.environment("TOKEN"), ["TOKEN": " "])
                == "headers.Authorization: the environment variable TOKEN is empty")
        try await withTemporaryDirectory { directory in
            let path = directory.appendingPathComponent("token").path
            #expect(
                endpoint(.file(path)) == "headers.Authorization: cannot read \(path): No such file or directory")
            try "\n".write(toFile: path, atomically: true, encoding: .utf8)
            #expect(endpoint(.file(path)) == "headers.Authorization: the file \(path) is empty")
            try "topsecret\nEvil: 1".write(toFile: path, atomically: true, encoding: .utf8)
            let refusal = endpoint(.file(path))
            #expect(refusal == "headers.Authorization: holds a line break or another control character")
            try Data([0x61, 0xFF]).write(to: URL(fileURLWithPath: path))
            #expect(endpoint(.file(path)) == "headers.Authorization: the file \(path) is not UTF-8 text")
            try Data(repeating: 0x61, count: 100_000).write(to: URL(fileURLWithPath: path))
            #expect(endpoint(.file(path))?.hasPrefix("headers.Authorization: ") == true)
        }
    }

    @Test(arguments: [200, 302, 400, 500])
    func `a server that sends secrets back does not make them known`(_ status: Int) async throws {
        let secret = "s3cr3t-t0ken"
        let reply: TestServer.Reply = .answer(
            status,
            headers: [
                ("Content-Type", "text/plain"), ("Location", "/\(secret)"), ("X-Request-Id", secret),
                ("Www-Authenticate", "Bearer \(secret)"),
            ], "you sent \(secret)")
        try await TestServer.running({ _ in reply }) { server in
            let spec = try HTTPSpec.local(
                server.url, headers: [.init("Authorization", .environment("TOKEN", prefix: "Bearer "))])
            let outcome = try await HTTPExecutor(spec, environment: ["TOKEN": secret]).run(call())
            let all: String
            switch outcome {
            case .completed(let result): all = result?.string ?? ""
            case .retry(let error, _), .discard(let error), .crashed(let error): all = error.message + (error.detail ?? "")
            case .snooze, .cancelled, .interrupted: throw Unexpected(outcome: outcome)
            }
            #expect(!all.contains(secret) && all.contains("you sent [redacted]"))
        }
    }

    @Test func `an address can be a secret whole, of which only the host is shown`() async throws {
        try await TestServer.running({ _ in .answer(500, "failed at /services/T0/B0/xyz") }) { server in
            let spec = try HTTPSpec(url: .environment("HOOK"), allowsPrivate: true)
            let environment = ["HOOK": "\(server.url)/services/T0/B0/xyz"]
            let error = try await HTTPExecutor(spec, environment: environment).run(call()).retried
            #expect(error.message == "500 Internal Server Error from POST \(server.url): failed at [redacted]")
            #expect(error.detail?.contains("xyz") == false)
            #expect(server.requests.map(\.uri) == ["/services/T0/B0/xyz"])
            #expect(
                message { _ = try HTTPEndpoint(HTTPSpec(url: .environment("HOOK")), environment: environment) }
                    == "url: 127.0.0.1 is a loopback address; allow_private: true permits it")
        }
    }
}
