import Foundation
import MartletCore
import MartletTestSupport
import NIOSSL
import NIOHTTP1
import Testing

@testable import MartletWebhooks

/// The certificate is that of the name in the URL, whatever address was called.
@Suite struct TLSTests {
    private func withServer(_ body: (TestServer, _ certificate: String) async throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            let (key, certificate) = (
                directory.appendingPathComponent("key.pem"), directory.appendingPathComponent("cert.pem")
            )
            let openssl = Process()
            openssl.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
            openssl.arguments = [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                "-subj", "/CN=hooks.example", "-addext", "subjectAltName=DNS:hooks.example", "-keyout", key.path, "-out",
                certificate.path,
            ]
            openssl.standardError = FileHandle.nullDevice
            try openssl.run()
            openssl.waitUntilExit()
            try #require(openssl.terminationStatus == 0)
            let context = try NIOSSLContext(
                configuration: .makeServerConfiguration(
                    certificateChain: try NIOSSLCertificate.fromPEMFile(certificate.path).map { .certificate($0) },
                    privateKey: .privateKey(NIOSSLPrivateKey(file: key.path, format: .pem))))
            try await TestServer.running(tls: context, { _ in .answer(200, "\"safe\"") }) {
                try await body($0, certificate.path)
            }
        }
    }

    private func run(_ host: String, _ server: TestServer, certificates: String?) async throws -> Outcome {
        let loopback = try #require(IPAddress("127.0.0.1"))
        let spec = try HTTPSpec(
            url: .plain("https://\(host):\(server.port)/"), allowsPrivate: true, certificates: certificates)
        return try await HTTPExecutor(spec, lookup: HostLookup { _ in .addresses([loopback]) }).run(call())
    }

    @Test func `a server that proves its name is called`() async throws {
        try await withServer { server, certificate in
            let outcome = try await run("hooks.example", server, certificates: certificate)
            #expect(try outcome.result == "\"safe\"")
            #expect(server.requests.map { $0.headers["host"] } == [["hooks.example:\(server.port)"]])
        }
    }

    @Test func `a certificate for another name, or that nobody trusts, is refused, and nothing is sent`() async throws {
        try await withServer { server, certificate in
            let other = try await run("other.example", server, certificates: certificate).retried
            #expect(other.type == "network")
            #expect(other.message.hasSuffix("the server's certificate is for another host"), "\(other.message)")
            let stranger = try await run("hooks.example", server, certificates: nil).retried
            #expect(stranger.message.hasSuffix("the server's certificate is not trusted"), "\(stranger.message)")
            #expect(server.requests.isEmpty)
        }
    }
}
