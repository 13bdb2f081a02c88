import Foundation
import Glibc
import MartletTestSupport
import Synchronization

/// A directory with a database, a configuration whose handler logs each start, and real processes of the real binary.
final class Site: Sendable {
    let directory: URL
    /// Nil: an SQLite file in the directory.
    private let database: String?
    private let started = Mutex<[pid_t]>([])
    private let serial = Atomic<Int>(0)

    init(_ directory: URL, concurrency: Int = 8, database: String? = nil) throws {
        self.directory = directory
        self.database = database
        // One write of a short line to a file opened for appending is never torn.
        try """
        concurrency: \(concurrency)
        lease: 10s
        kinds:
          touch:
            command: [sh, -c, 'echo "$MARTLET_JOB_ID" >> starts.log']
            timeout: 60s

        """.write(to: directory.appendingPathComponent("martlet.yaml"), atomically: true, encoding: .utf8)
    }

    /// Beside the test bundle, where the build put both.
    private static func binary(_ name: String) -> URL {
        URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
            .appendingPathComponent(name)
    }

    func start(_ arguments: String...) throws -> Running {
        try start(program: "martlet", environment: ProcessInfo.processInfo.environment, arguments)
    }

    /// - Parameter dataLimit: bytes that a process may have besides its stack.
    func start(
        program: String, dataLimit: Int? = nil, environment: [String: String], _ arguments: [String]
    ) throws -> Running {
        let number = serial.wrappingAdd(1, ordering: .relaxed).newValue
        let process = Process()
        process.executableURL = Self.binary(program)
        process.arguments = arguments
        if let dataLimit {
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments =
                ["-c", "ulimit -d \(dataLimit / 1_024); exec \"$0\" \"$@\"", Self.binary(program).path] + arguments
        }
        process.environment = environment
        process.currentDirectoryURL = directory
        if let database {
            process.environment = ProcessInfo.processInfo.environment.merging(["MARTLET_DATABASE_URL": database]) { $1 }
        }
        let output = try file("output-\(number)")
        let errors = try file("errors-\(number)")
        let files = [try FileHandle(forWritingTo: output), try FileHandle(forWritingTo: errors)]
        process.standardOutput = files[0]
        process.standardError = files[1]
        process.standardInput = FileHandle.nullDevice
        let running = Running(process, output: output, errors: errors)
        try process.run()
        // The process has its own; there are suites that start very many.
        for file in files { try file.close() }
        started.withLock { $0.append(process.processIdentifier) }
        return running
    }

    private func file(_ name: String) throws -> URL {
        let url = directory.appendingPathComponent(name)
        try Data().write(to: url)
        return url
    }

    /// Every job id, once per time its handler began.
    func starts() throws -> [Int64] {
        let log = directory.appendingPathComponent("starts.log")
        guard FileManager.default.fileExists(atPath: log.path) else { return [] }
        return try String(contentsOf: log, encoding: .utf8).split(separator: "\n").compactMap { Int64($0) }
    }

    /// What all processes said on standard error.
    func complaints() throws -> String {
        try FileManager.default.contentsOfDirectory(at: directory, includingPropertiesForKeys: nil)
            .filter { $0.lastPathComponent.hasPrefix("errors-") }
            .map { try String(contentsOf: $0, encoding: .utf8) }.joined()
    }

    /// Ends what a failed test left running.
    func clear() { started.withLock { for pid in $0 { kill(pid, SIGKILL) } } }
}

/// One process, whose end can be awaited without a thread.
final class Running: @unchecked Sendable {
    // Sendable: the process is started by its maker and afterwards only signalled and awaited, which Process allows from anywhere.
    private let process: Process
    private let output: URL
    private let errors: URL
    private let ended: AsyncStream<Void>

    init(_ process: Process, output: URL, errors: URL) {
        self.process = process
        self.output = output
        self.errors = errors
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        ended = stream
        process.terminationHandler = { _ in continuation.finish() }
    }

    var isRunning: Bool { process.isRunning }

    func kill() { Glibc.kill(process.processIdentifier, SIGKILL) }
    func terminate() { Glibc.kill(process.processIdentifier, SIGTERM) }

    struct End {
        /// nil: a signal ended it.
        let status: Int32?
        let output: String
        let errors: String
    }

    func end() async throws -> End {
        for await _ in ended {}
        return End(
            status: process.terminationReason == .exit ? process.terminationStatus : nil,
            output: try String(contentsOf: output, encoding: .utf8), errors: try String(contentsOf: errors, encoding: .utf8))
    }
}

func withSite(database: String? = nil, _ body: (Site) async throws -> Void) async throws {
    try await withTemporaryDirectory { directory in
        let site = try Site(directory, database: database)
        defer { site.clear() }
        try await body(site)
    }
}
