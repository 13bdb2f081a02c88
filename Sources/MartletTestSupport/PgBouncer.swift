import Foundation
import Glibc
import Synchronization

/// A PgBouncer of the tests' own before a server, gone when it is let go or when the test process ends.
package final class PgBouncer: Sendable {
    package let port: Int
    private let directory: URL
    private let tools: PostgresTools
    private let leash: Leash

    private static let program = "/usr/sbin/pgbouncer"
    private static let started = Mutex<Result<PgBouncer, any Error>?>(nil)

    /// Before the server that tests share. Its sessions are far fewer than the tests' clients.
    package static func shared() throws -> PgBouncer {
        try started.withLock { started in
            if let started { return try started.get() }
            let result = Result { try PgBouncer(before: try PostgresServer.shared(), pool: 8) }
            started = result
            return try result.get()
        }
    }

    /// - Parameters:
    ///   - pool: sessions per database and user; fewer than clients, so that these change sessions.
    ///   - password: of the user `postgres`; nil: none is asked for.
    ///   - settings: more lines for the section `pgbouncer`.
    package init(
        before server: PostgresServer, mode: String = "transaction", pool: Int = 2, password: String? = nil,
        settings: [String] = []
    ) throws {
        guard FileManager.default.isExecutableFile(atPath: Self.program) else {
            throw PostgresServerFailure("these tests need PgBouncer: apt-get install pgbouncer")
        }
        tools = try PostgresTools()
        port = try freePort()
        directory = FileManager.default.temporaryDirectory.appendingPathComponent(
            "martlet-bouncer-\(UUID().uuidString.prefix(8))")
        let pid = directory.path + "/pid"
        leash = try Leash(
            runner: tools.runner, begin: "mkdir -m 700 '\(directory.path)'",
            clean: "[ -e '\(pid)' ] && kill -9 $(cat '\(pid)'); rm -rf '\(directory.path)'")
        let lines =
            [
                "[databases]", "* = host=127.0.0.1 port=\(server.port)", "[pgbouncer]", "listen_addr = 127.0.0.1",
                "listen_port = \(port)", "unix_socket_dir =", "pidfile = \(pid)", "logfile = \(directory.path)/log",
                "auth_type = \(password == nil ? "trust" : "scram-sha-256")", "auth_file = \(directory.path)/users",
                "admin_users = postgres", "pool_mode = \(mode)", "default_pool_size = \(pool)", "max_client_conn = 1000",
            ] + settings
        try tools.write("\"postgres\" \"\(password ?? "")\"\n", appendingTo: directory.path + "/users")
        try tools.write(lines.joined(separator: "\n") + "\n", appendingTo: directory.path + "/ini")
        try start()
    }

    package func start() throws {
        try tools.shell("'\(Self.program)' -q -d '\(directory.path)/ini'")
        for _ in 0..<2_000 {
            if answers { return }
            usleep(5_000)
        }
        throw PostgresServerFailure("PgBouncer does not answer: \(log)")
    }

    /// Cuts all its connections, at once.
    package func stop() throws { try tools.shell("kill -9 $(cat '\(directory.path)/pid'); rm '\(directory.path)/pid'") }

    package func url(database: String = "postgres", user: String = "postgres", password: String? = nil) -> String {
        "postgres://\(user)\(password.map { ":\($0)" } ?? "")@127.0.0.1:\(port)/\(database)"
    }

    package var log: String {
        String(decoding: FileManager.default.contents(atPath: directory.path + "/log") ?? Data(), as: UTF8.self)
    }

    private var answers: Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                connect(descriptor, pointer, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
