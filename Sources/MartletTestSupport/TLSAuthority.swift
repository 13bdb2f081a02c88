import Foundation

/// A certificate authority that nobody trusts unless told to, made with openssl.
package final class TLSAuthority: Sendable {
    package struct Certificate: Sendable {
        let certificate: String
        let key: String
    }

    private let directory: URL
    /// For `sslrootcert`.
    package var rootCertificate: String { directory.path + "/ca.crt" }

    package init() throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent(
            "martlet-ca-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        try openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=martlet-tests -keyout ca.key -out ca.crt"
        )
    }

    deinit {
        do {
            try FileManager.default.removeItem(at: directory)
        } catch {
            FileHandle.standardError.write(Data("cannot remove \(directory.path): \(error)\n".utf8))
        }
    }

    package func certificate(for host: String) throws -> Certificate {
        try "subjectAltName=DNS:\(host)\n".write(
            to: directory.appendingPathComponent("names"), atomically: true, encoding: .utf8)
        try openssl(
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=\(host) -keyout server.key -out server.csr")
        try openssl(
            "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.crt")
        func read(_ name: String) throws -> String {
            try String(contentsOf: directory.appendingPathComponent(name), encoding: .utf8)
        }
        return Certificate(certificate: try read("server.crt"), key: try read("server.key"))
    }

    private func openssl(_ arguments: String) throws {
        try TestProcess.run(["/bin/sh", "-c", "cd '\(directory.path)' && openssl \(arguments)"])
    }
}
