import Foundation
import Glibc

/// The command-line program beside this one, run as people run it.
enum Programs {
    static let martlet = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
        .deletingLastPathComponent().appendingPathComponent("martlet")

    static func start(_ executable: URL, _ arguments: [String], in directory: URL) throws -> Process {
        let process = Process()
        process.executableURL = executable
        process.arguments = arguments
        process.currentDirectoryURL = directory
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        try Workshop.start(process)
        return process
    }

    /// Runs it to its end.
    /// - Returns: what it wrote to standard output.
    static func output(_ executable: URL, _ arguments: [String], in directory: URL) async throws -> String {
        // Names of their own: what is started here may start more.
        let name = UUID().uuidString
        let output = directory.appendingPathComponent("stdout-\(name)")
        let errors = directory.appendingPathComponent("stderr-\(name)")
        let process = Process()
        process.executableURL = executable
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try fresh(output)
        process.standardError = try fresh(errors)
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            do {
                try Workshop.start(process) { continuation.resume() }
            } catch { continuation.resume(throwing: error) }
        }
        guard process.terminationStatus == 0 else {
            let reason = try String(contentsOf: errors, encoding: .utf8)
            throw Failure("\(executable.lastPathComponent) ended with \(process.terminationStatus): \(reason)")
        }
        return try String(contentsOf: output, encoding: .utf8)
    }

    private static func fresh(_ file: URL) throws -> FileHandle {
        try Data().write(to: file)
        return try FileHandle(forWritingTo: file)
    }

    /// Runs it to its end, by posix_spawn and waitpid, which cost least.
    /// - Returns: milliseconds.
    static func time(_ arguments: [String], database: String) async throws -> Double {
        var status: Int32 = 0
        let elapsed = try await seconds { waitpid(try spawn(arguments, database: database), &status, 0) }
        guard status == 0 else { throw Failure("\(arguments.joined(separator: " ")) ended with \(status)") }
        return elapsed * 1_000
    }

    /// Runs it to its end without a thread for that: Foundation's `Process` keeps two.
    static func run(_ arguments: [String], database: String) async throws {
        let pid = try spawn(arguments, database: database)
        var status: Int32 = 0
        while waitpid(pid, &status, WNOHANG) == 0 { try await Task.sleep(for: .milliseconds(1)) }
        guard status == 0 else { throw Failure("\(arguments.joined(separator: " ")) ended with \(status)") }
    }

    private static func spawn(_ arguments: [String], database: String) throws -> pid_t {
        setenv("MARTLET_DATABASE_URL", database, 1)
        let words = [martlet.path] + arguments
        var pointers: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        var pid = pid_t()
        let error = posix_spawn(&pid, martlet.path, &actions, nil, &pointers, environ)
        guard error == 0 else { throw Failure("\(martlet.path) does not start: \(String(cString: strerror(error)))") }
        return pid
    }
}

struct Failure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
