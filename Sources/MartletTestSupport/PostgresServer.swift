import Foundation
import Glibc
import Synchronization

/// A PostgreSQL server of the tests' own, in a temporary directory, gone when the test process ends, however it ends.
package final class PostgresServer: Sendable {
    package struct Options: Sendable {
        /// Off makes tests faster, and loses nothing as long as the machine does not crash.
        package var fsync = false
        /// Lines for postgresql.conf.
        package var settings: [String] = []
        /// On another machine.
        package var namespace: NetworkNamespace?
        /// Answers TLS, and only TLS to those who ask for it.
        package var tls: TLSAuthority.Certificate?

        package init(
            fsync: Bool = false, settings: [String] = [], namespace: NetworkNamespace? = nil,
            tls: TLSAuthority.Certificate? = nil
        ) {
            self.fsync = fsync
            self.settings = settings
            self.namespace = namespace
            self.tls = tls
        }
    }

    package enum StopMode: String, Sendable { case smart, fast, immediate }

    package let directory: URL
    package let port: Int
    private let tools: PostgresTools
    private let options: Options
    private let leash: Leash

    private static let started = Mutex<Result<PostgresServer, PostgresServerFailure>?>(nil)

    /// The one that tests share, started by the first that asks. Tests that stop it start their own instead.
    package static func shared() throws -> PostgresServer {
        try started.withLock { started in
            if let started { return try started.get() }
            let result = Result { () throws(PostgresServerFailure) in try PostgresServer(Options()) }
            started = result
            return try result.get()
        }
    }

    package convenience init(_ options: Options = Options()) throws(PostgresServerFailure) {
        let template = try ClusterTemplate.shared()
        try self.init(options) { server throws(PostgresServerFailure) in
            try server.tools.shell("cp -a '\(template.data)' '\(server.data)'")
        }
        try start()
    }

    /// - Parameter fill: makes the data directory.
    private init(
        _ options: Options, fill: (PostgresServer) throws(PostgresServerFailure) -> Void
    ) throws(PostgresServerFailure) {
        tools = try PostgresTools(namespace: options.namespace)
        self.options = options
        port = try freePort()
        directory = FileManager.default.temporaryDirectory.appendingPathComponent(
            "martlet-pg-\(UUID().uuidString.prefix(8))")
        leash = try tools.leash(directory: directory)
        try fill(self)
        try configure()
    }

    /// Where the server's programs are, pgbench among them.
    package var binaries: URL { URL(fileURLWithPath: tools.binaries) }

    private var data: String { directory.appendingPathComponent("data").path }

    private func configure() throws(PostgresServerFailure) {
        let lines =
            [
                "port = \(port)", "listen_addresses = '\(options.namespace == nil ? "127.0.0.1" : "*")'",
                "unix_socket_directories = '\(directory.path)'",
                "fsync = \(options.fsync ? "on" : "off")", "max_connections = 200", "log_min_messages = warning",
                "shared_buffers = 128MB", "logging_collector = off", "max_prepared_transactions = 0",
            ] + options.settings + (try options.tls.map(install) ?? [])
        if let namespace = options.namespace {
            try tools.write("host all all \(namespace.ours)/32 trust\n", appendingTo: data + "/pg_hba.conf")
        }
        try tools.write(lines.joined(separator: "\n") + "\n", appendingTo: data + "/postgresql.conf")
    }

    private func install(_ tls: TLSAuthority.Certificate) throws(PostgresServerFailure) -> [String] {
        try tools.write(tls.certificate, appendingTo: directory.path + "/server.crt")
        try tools.shell("umask 077; cat > '\(directory.path)/server.key'", input: tls.key)
        return [
            "ssl = on", "ssl_cert_file = '\(directory.path)/server.crt'", "ssl_key_file = '\(directory.path)/server.key'",
        ]
    }

    // MARK: Standbys

    /// A standby that the server waits for at each commit, once it has caught up.
    package func makeStandby() throws(PostgresServerFailure) -> PostgresServer {
        let primary = "host=127.0.0.1 port=\(port) user=postgres application_name=standby"
        let standby = try PostgresServer(options) { standby throws(PostgresServerFailure) in
            try standby.tools.run("pg_basebackup", ["-D", standby.data, "-d", primary, "-R", "-c", "fast", "--no-sync"])
        }
        try standby.start()
        try psql("alter system set synchronous_standby_names = 'ANY 1 (standby)'")
        try psql("select pg_reload_conf()")
        for _ in 0..<2_000 {
            if try psql("select count(*) from pg_stat_replication where sync_state = 'quorum'") == "1\n" { return standby }
            usleep(5_000)
        }
        throw PostgresServerFailure("the standby does not follow: \(standby.log)")
    }

    /// Returns when the standby takes writes.
    package func promote() throws(PostgresServerFailure) {
        try tools.run("pg_ctl", ["-D", data, "-w", "-t", "60", "promote"])
    }

    // MARK: Life

    /// - Parameter lines: replace pg_hba.conf, for tests of passwords; takes effect at the next start or reload.
    package func allow(_ lines: [String]) throws {
        try tools.shell("cat > '\(data)/pg_hba.conf'", input: lines.joined(separator: "\n") + "\n")
        try tools.run("pg_ctl", ["-D", data, "reload"])
    }

    package func start() throws(PostgresServerFailure) {
        do {
            try tools.run("pg_ctl", ["-D", data, "-w", "-t", "60", "-l", "\(directory.path)/log", "start"])
        } catch {
            throw PostgresServerFailure("\(error); its log: \(log)")
        }
    }

    package func stop(_ mode: StopMode = .fast) throws(PostgresServerFailure) {
        try tools.run("pg_ctl", ["-D", data, "-w", "-t", "60", "-m", mode.rawValue, "stop"])
    }

    package func restart(_ mode: StopMode = .fast) throws(PostgresServerFailure) {
        try stop(mode)
        try start()
    }

    /// The postmaster's death by SIGKILL; its children notice and go.
    package func kill() throws(PostgresServerFailure) { try signal(SIGKILL) }

    /// The postmaster and all its backends stand still, or go on.
    package func freeze() throws(PostgresServerFailure) { try signalAll(SIGSTOP) }
    package func thaw() throws(PostgresServerFailure) { try signalAll(SIGCONT) }

    private func postmaster() throws(PostgresServerFailure) -> pid_t {
        guard
            let text = FileManager.default.contents(atPath: data + "/postmaster.pid").map({
                String(decoding: $0, as: UTF8.self)
            }),
            let pid = text.split(separator: "\n").first.flatMap({ pid_t($0) })
        else { throw PostgresServerFailure("the server is not running") }
        return pid
    }

    private func signal(_ signal: Int32) throws(PostgresServerFailure) {
        let pid = try postmaster()
        guard Glibc.kill(pid, signal) == 0 else { throw PostgresServerFailure("cannot signal \(pid)") }
    }

    private func signalAll(_ signal: Int32) throws(PostgresServerFailure) {
        let pid = try postmaster()
        let children = FileManager.default.contents(atPath: "/proc/\(pid)/task/\(pid)/children") ?? Data()
        for child in String(decoding: children, as: UTF8.self).split(separator: " ").compactMap({ pid_t($0) }) {
            // One that has just ended is none to stop.
            _ = Glibc.kill(child, signal)
        }
        guard Glibc.kill(pid, signal) == 0 else { throw PostgresServerFailure("cannot signal \(pid)") }
    }

    /// By TCP.
    package func url(database: String = "postgres", user: String = "postgres", password: String? = nil) -> String {
        address(options.namespace?.address ?? "127.0.0.1", database: database, user: user, password: password)
    }

    private func address(_ host: String, database: String, user: String = "postgres", password: String? = nil) -> String {
        "postgres://\(user)\(password.map { ":\($0)" } ?? "")@\(host):\(port)/\(database)"
    }

    /// By Unix socket.
    package func socketURL(database: String = "postgres") -> String {
        let host = directory.path.replacingOccurrences(of: "/", with: "%2F")
        return "postgres://postgres@\(host):\(port)/\(database)"
    }

    /// What the server has written to its log.
    package var log: String {
        String(decoding: FileManager.default.contents(atPath: directory.path + "/log") ?? Data(), as: UTF8.self)
    }

    /// Runs SQL with psql, as somebody else would.
    @discardableResult
    package func psql(_ sql: String, database: String = "postgres") throws(PostgresServerFailure) -> String {
        try tools.run(
            "psql",
            ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", address("127.0.0.1", database: database), "-f", "-"],
            input: sql)
    }

    /// All of a database, as SQL for psql.
    package func dump(database: String = "postgres", _ options: [String] = []) throws(PostgresServerFailure) -> String {
        try tools.run("pg_dump", options + ["-d", url(database: database)])
    }

    /// Lets the cluster grow older by so many transactions.
    package func age(by transactions: Int) throws(PostgresServerFailure) {
        try psql("do $$ begin for i in 1..\(transactions) loop perform pg_current_xact_id(); commit; end loop; end $$")
    }

    /// Moves everything into a new cluster with pg_upgrade, and goes on with that.
    package func upgrade() throws(PostgresServerFailure) {
        try stop()
        try tools.initialize("\(data).new")
        try tools.upgrade(from: data, to: "\(data).new", in: directory.path)
        try tools.shell("rm -rf '\(data)' && mv '\(data).new' '\(data)'", input: "")
        try configure()
        try start()
    }

    private static let lastDatabase = Mutex(0)

    /// A new database for one test.
    /// - Returns: its name.
    package func makeDatabase(template: String = "template1") throws(PostgresServerFailure) -> String {
        let name = Self.lastDatabase.withLock { number in
            number += 1
            return "test_\(number)"
        }
        try psql("create database \(name) template \(template)")
        return name
    }
}

/// initdb takes a second or two, and a copy of what it made a tenth of that; so it runs once per process.
private struct ClusterTemplate {
    let data: String
    /// For the life of the process, which is how long the template is needed.
    private let leash: Leash

    private static let made = Mutex<Result<ClusterTemplate, PostgresServerFailure>?>(nil)

    static func shared() throws(PostgresServerFailure) -> ClusterTemplate {
        let result = made.withLock { made in
            let result = made ?? Result { () throws(PostgresServerFailure) in try ClusterTemplate() }
            made = result
            return result
        }
        return try result.get()
    }

    private init() throws(PostgresServerFailure) {
        let tools = try PostgresTools()
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent(
            "martlet-pg-\(UUID().uuidString.prefix(8))")
        leash = try tools.leash(directory: directory)
        data = directory.appendingPathComponent("data").path
        try tools.initialize(data)
    }
}

package struct PostgresServerFailure: Error, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}
