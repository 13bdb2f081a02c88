import Foundation
import MartletPQ
import MartletTestSupport
import Testing

/// TLS as libpq does it, with an authority of the tests' own.
@Suite struct TLSTests {
    private let authority: TLSAuthority
    private let server: PostgresServer

    init() throws {
        authority = try TLSAuthority()
        server = try PostgresServer(.init(tls: try authority.certificate(for: "localhost")))
        try server.allow(["hostssl all all 127.0.0.1/32 trust", "hostnossl all all 127.0.0.1/32 reject"])
    }

    private func url(_ host: String, _ words: String) -> String {
        "postgres://postgres@\(host):\(server.port)/postgres?hostaddr=127.0.0.1&\(words)"
    }

    private var root: String { "sslrootcert=\(authority.rootCertificate.replacing("/", with: "%2F"))" }

    @Test func `a server of the right name with a known authority is trusted, on every connection`() async throws {
        try await withClient(url("localhost", "sslmode=verify-full&\(root)")) { (client) async throws in
            let rows = try await client.run(.once("select ssl, version from pg_stat_ssl where pid = pg_backend_pid()"))
            #expect(rows.bool(0, 0) && rows.text(0, 1).hasPrefix("TLS"))
            var notices = client.notifications(["a"]).makeAsyncIterator()
            #expect(await notices.next() == .listening)
            let plain =
                "select count(*) from pg_stat_ssl join pg_stat_activity using (pid) where not ssl and client_port > 0"
            #expect(try await client.int(plain) == 0)
        }
    }

    @Test func `megabytes travel both ways through TLS, with many requests in flight`() async throws {
        try await withClient(url("localhost", "sslmode=require")) { (client) async throws in
            let big = [UInt8](repeating: 0x5A, count: 3_000_000)
            let tasks = (0..<20).map { _ in
                Task { try await client.run(.once("select $1"), [.bytea(big)]).bytes(0, 0) == big }
            }
            for task in tasks { #expect(try await task.value) }
        }
    }

    @Test func `a server of another name is refused at once`() async throws {
        try await withClient(url("elsewhere", "sslmode=verify-full&\(root)")) { (client) async throws in
            let error = try await client.failure("select 1", within: .seconds(600))
            #expect(error.code == .refused && error.message.contains(#"does not match host name "elsewhere""#), "\(error)")
        }
    }

    @Test func `a server of an unknown authority is refused at once`() async throws {
        let stranger = try TLSAuthority()
        let root = "sslrootcert=\(stranger.rootCertificate.replacing("/", with: "%2F"))"
        try await withClient(url("localhost", "sslmode=verify-ca&\(root)")) { (client) async throws in
            let error = try await client.failure("select 1", within: .seconds(600))
            #expect(error.code == .refused && error.message.contains("certificate verify failed"), "\(error)")
        }
        try await withClient(url("localhost", "sslmode=verify-full&sslrootcert=/nowhere.crt")) { (client) async throws in
            let error = try await client.failure("select 1", within: .seconds(600))
            #expect(error.code == .refused && error.message.contains("/nowhere.crt"), "\(error)")
        }
    }

    @Test func `who asks for TLS of a server that has none is told so at once`() async throws {
        try await withClient(PostgresServer.shared().url() + "?sslmode=require") { (client) async throws in
            let error = try await client.failure("select 1", within: .seconds(600))
            #expect(error.code == .refused && error.message.contains("does not support SSL"), "\(error)")
        }
    }
}
