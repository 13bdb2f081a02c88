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
        try process.run()
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
            process.terminationHandler = { _ in continuation.resume() }
            do { try process.run() } catch { continuation.resume(throwing: error) }
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
        setenv("MARTLET_DATABASE_URL", database, 1)
        let words = [martlet.path] + arguments
        var pointers: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        var status: Int32 = 0
        let elapsed = await seconds {
            var pid = pid_t()
            guard posix_spawn(&pid, martlet.path, &actions, nil, &pointers, environ) == 0 else { return status = -1 }
            waitpid(pid, &status, 0)
        }
        guard status == 0 else { throw Failure("\(words.joined(separator: " ")) ended with \(status)") }
        return elapsed * 1_000
    }
}

struct Failure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
