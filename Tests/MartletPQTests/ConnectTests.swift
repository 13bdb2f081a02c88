import Foundation
import Glibc
import MartletPQ
import MartletTestSupport
import Testing

@Suite struct ConnectTests {
    @Test func `a wrong password is told at once, and never shown`() async throws {
        let server = try PostgresServer()
        try server.psql("create role ann login password 's3cret'")
        try server.allow(["host all ann 127.0.0.1/32 scram-sha-256", "host all all 127.0.0.1/32 trust"])
        try await withClient(server.url(user: "ann", password: "s3cret")) { (client) async throws in
            #expect(try await client.run(.once("select current_user::text")).text(0, 0) == "ann")
        }
        try await withClient(server.url(user: "ann", password: "wr0ng")) { (client) async throws in
            let error = try await client.failure("select 1")
            #expect(error.code == .refused && error.sqlState == "28P01" && !error.isTransient)
            #expect(error.message.contains(#"password authentication failed for user "ann""#))
            #expect(!error.description.contains("wr0ng"))
        }
        try await withClient(server.url(user: "ann")) { (client) async throws in
            let error = try await client.failure("select 1")
            #expect(error.code == .refused && error.description.contains("password"))
        }
    }

    @Test func `a database that does not exist is named at once`() async throws {
        try await withClient(PostgresServer.shared().url(database: "nowhere")) { (client) async throws in
            let error = try await client.failure("select 1")
            #expect(error.code == .refused && error.sqlState == "3D000")
            #expect(error.message.contains(#"database "nowhere" does not exist"#))
        }
    }

    @Test func `where nobody listens a request waits up to its deadline, then tells why`() async throws {
        try await withClient("postgres://ann:s3cret@127.0.0.1:1/shop") { (client) async throws in
            let error = try await client.failure("select 1", within: .milliseconds(200))
            #expect(error.code == .unavailable && error.isTransient)
            #expect(error.message.contains("Connection refused") && error.message.contains("port 1"))
            #expect(!error.description.contains("s3cret"))
        }
    }

    @Test func `without patience the first failure is the answer`() async throws {
        try await withClient("postgres://127.0.0.1:1/shop", { $0.patience = .zero }) { (client) async throws in
            let error = try await client.failure("select 1", within: .seconds(600))
            #expect(error.code == .unavailable && error.message.contains("Connection refused"))
        }
    }

    @Test func `a service that no file defines is not waited for`() async throws {
        try await withClient("service=no_such_service_of_ours") { (client) async throws in
            let error = try await client.failure("select 1", within: .seconds(600))
            #expect(error.code == .invalid && error.message.contains("no_such_service_of_ours"), "\(error)")
        }
    }

    @Test func `of several hosts the one that can be written is taken`() async throws {
        let standby = try PostgresServer(.init(settings: ["default_transaction_read_only = on"]))
        let primary = try PostgresServer.shared()
        let url =
            "postgres://postgres@127.0.0.1:1,127.0.0.1:\(standby.port),127.0.0.1:\(primary.port)/postgres?target_session_attrs=read-write"
        try await withClient(url) { (client) async throws in
            #expect(try await client.int("select inet_server_port()") == Int64(primary.port))
        }
    }

    @Test func `a host that takes the connection and is silent is passed over`() async throws {
        let silent = try SilentHost()
        defer { silent.close() }
        let server = try PostgresServer.shared()
        let url = "postgres://postgres@127.0.0.1:\(silent.port),127.0.0.1:\(server.port)/postgres"
        try await withClient(url, { $0.connectTimeout = .milliseconds(200) }) { (client) async throws in
            #expect(try await client.int("select inet_server_port()") == Int64(server.port))
        }
    }

    @Test func `sockets, names and encodings are as they should be`() async throws {
        let server = try PostgresServer.shared()
        try await withClient(server.socketURL()) { (client) async throws in
            let rows = try await client.run(
                .once("select current_setting('application_name'), current_setting('client_encoding')"))
            #expect(rows.text(0, 0) == "martlet" && rows.text(0, 1) == "UTF8")
        }
        try await withClient(server.url() + "?application_name=mine") { (client) async throws in
            #expect(try await client.run(.once("select current_setting('application_name')")).text(0, 0) == "mine")
        }
    }

    @Test func `more requests than may wait are refused`() async throws {
        try await withClient("postgres://127.0.0.1:1/shop", { $0.waiting = 3 }) { (client) async throws in
            let codes = await withTaskGroup(of: PQError.Code?.self) { group in
                for _ in 0..<5 {
                    group.addTask {
                        do throws(PQError) {
                            _ = try await client.run(.once("select 1"), within: .milliseconds(300))
                            return nil
                        } catch { return error.code }
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(codes.count { $0 == .overloaded } == 2 && codes.count { $0 == .unavailable } == 3)
        }
    }
}

/// Listens, and never answers.
private struct SilentHost {
    let descriptor: Int32
    let port: Int

    init() throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(descriptor, pointer, length) == 0 && listen(descriptor, 16) == 0
                    && getsockname(descriptor, pointer, &length) == 0
            }
        }
        try #require(isListening)
        port = Int(UInt16(bigEndian: address.sin_port))
    }

    func close() { _ = Glibc.close(descriptor) }
}
