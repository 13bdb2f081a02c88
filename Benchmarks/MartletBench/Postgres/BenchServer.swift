import Foundation
import Glibc
import Martlet
import MartletPostgres
import MartletTestSupport

/// A PostgreSQL of the bench's own, durable as people run it, gone when the bench ends.
///
/// Each measurement has a database of its own, copied from one with an empty queue, or from one that a case has filled.
final class BenchServer {
    private static let chosen = [
        "shared_buffers = 512MB", "max_wal_size = 4GB", "max_connections = 300", "synchronous_commit = on",
    ]
    private static let shown = [
        "server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "max_wal_size", "autovacuum",
    ]
    private static let emptyQueue = "empty_queue"

    private let server: PostgresServer
    /// As `show` gives them.
    let settings: [String: String]
    private var lastDatabase = 0

    init() throws {
        server = try PostgresServer(PostgresServer.Options(fsync: true, settings: Self.chosen))
        var settings: [String: String] = [:]
        for name in Self.shown { settings[name] = try server.psql("show \(name)").trimmed }
        self.settings = settings
        try server.psql("create database \(Self.emptyQueue)")
    }

    var line: String {
        "PostgreSQL: " + Self.shown.map { "\($0) \(settings[$0] ?? "?")" }.joined(separator: ", ") + "; by Unix socket"
    }

    /// - Parameter template: a database that is copied; nobody may be connected to it. Nil: an empty queue.
    func withDatabase<T>(
        copying template: BenchDatabase? = nil, _ body: (BenchDatabase) async throws -> T
    ) async throws -> T {
        // Does nothing the second time.
        _ = try await PostgresStore.migrate(PostgresOptions(url: server.socketURL(database: Self.emptyQueue)))
        lastDatabase += 1
        let database = BenchDatabase(server: server, name: "bench_\(lastDatabase)")
        // Copies files, which also leaves no dirty page behind; older servers always do.
        let strategy = (Int(settings["server_version"]!.prefix { $0.isNumber }) ?? 0) >= 15 ? "strategy file_copy" : ""
        try server.psql("create database \(database.name) template \(template?.name ?? Self.emptyQueue) \(strategy)")
        do {
            let result = try await body(database)
            try server.psql("drop database \(database.name) with (force)")
            return result
        } catch {
            try server.psql("drop database \(database.name) with (force)")
            throw error
        }
    }
}

/// One database, as the library, psql and pgbench reach it.
struct BenchDatabase {
    fileprivate let server: PostgresServer
    let name: String

    var url: String { server.socketURL(database: name) }

    @discardableResult
    func psql(_ sql: String) throws -> String { try server.psql(sql, database: name).trimmed }

    func number(_ sql: String) throws -> Double {
        let text = try psql(sql)
        guard let number = Double(text) else { throw Failure("\(sql) gave \(text)") }
        return number
    }

    /// A registered worker for scripts that claim by hand.
    func register(_ count: Int = 1) throws {
        try psql(
            """
            select martlet.register('bench ' || n, 'localhost', 1, 'bench', array['nothing'], null, 1, 3600000)
            from generate_series(1, \(count)) n
            """)
    }

    /// Runs a script with pgbench, prepared, for a number of transactions. Not for a time: pgbench ends that by an alarm, and
    /// the signals that our threads block are blocked in what they start.
    /// - Parameter transactions: of all clients together.
    /// - Returns: transactions per second.
    func pgbench(_ script: String, clients: Int = 1, transactions: Int) async throws -> Double {
        try await withDirectory { directory in
            let file = directory.appendingPathComponent("script.sql")
            try script.write(to: file, atomically: true, encoding: .utf8)
            let output = try await Programs.output(
                server.binaries.appendingPathComponent("pgbench"),
                [
                    "-n", "-M", "prepared", "-c", "\(clients)", "-j", "\(min(clients, 2))", "-f", file.path,
                    "-t", "\(transactions / clients)", url,
                ],
                in: directory)
            guard
                let line = output.split(separator: "\n").first(where: { $0.hasPrefix("tps = ") }),
                let rate = line.split(separator: " ").dropFirst(2).first.flatMap({ Double($0) }),
                output.contains("number of failed transactions: 0 ") || !output.contains("failed transactions")
            else { throw Failure("pgbench said\n\(output)") }
            return rate
        }
    }

    /// Runs a script with pgbench for a while, and ends it the hard way.
    /// - Returns: transactions per second, of each second.
    func pgbench(_ script: String, clients: Int, eachSecondFor time: Int) async throws -> [Double] {
        try await withDirectory { directory in
            let (file, progress) = (
                directory.appendingPathComponent("script.sql"), directory.appendingPathComponent("progress")
            )
            try script.write(to: file, atomically: true, encoding: .utf8)
            try Data().write(to: progress)
            let process = Process()
            process.executableURL = server.binaries.appendingPathComponent("pgbench")
            process.arguments = [
                "-n", "-M", "prepared", "-c", "\(clients)", "-j", "\(min(clients, 2))", "-f", file.path, "-P", "1",
                "-t", "1000000000", url,
            ]
            process.standardInput = FileHandle.nullDevice
            process.standardOutput = FileHandle.nullDevice
            process.standardError = try FileHandle(forWritingTo: progress)
            try Workshop.start(process)
            try await Task.sleep(for: .milliseconds(time * 1_000 + 500))
            let text = try String(contentsOf: progress, encoding: .utf8)
            guard process.isRunning else { throw Failure("pgbench said\n\(text)") }
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
            // progress: 7.0 s, 431.0 tps, lat 4.640 ms stddev 1.021, 0 failed
            let rates = text.split(separator: "\n").filter { $0.hasPrefix("progress: ") }
                .compactMap { Double($0.split(separator: " ")[3]) }
            guard rates.count >= time - 1, !text.contains("error") else { throw Failure("pgbench said\n\(text)") }
            return rates
        }
    }

    var psqlProgram: URL { server.binaries.appendingPathComponent("psql") }

    /// The same rows through psql, in one COPY of all of them.
    func copy(_ file: URL, into table: String) async throws {
        _ = try await Programs.output(
            psqlProgram,
            ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", "\\copy \(table) from '\(file.path)'"],
            in: file.deletingLastPathComponent())
    }
}

extension String {
    var trimmed: String { trimmingCharacters(in: .whitespacesAndNewlines) }
}
