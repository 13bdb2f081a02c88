import Foundation
import Glibc

/// The real binary, in a process, a directory and with a database of its own.
struct Program {
    struct Result {
        let status: Int32
        let output: String
        let errors: String
    }

    /// Where it runs.
    let directory: TemporaryDirectory
    /// Its input and output, out of its way.
    private let streams: TemporaryDirectory
    /// What stands before the binary: `setpriv …`, `sh -c …`.
    var wrapper: [String] = []

    /// - Parameter directory: of another program, to look at what that one does.
    init(wrapper: [String] = [], in directory: TemporaryDirectory? = nil) throws {
        self.directory = try directory ?? TemporaryDirectory()
        streams = try TemporaryDirectory()
        self.wrapper = wrapper
    }

    /// Beside the test bundle, where the build put both.
    static let path: String = {
        var buffer = [CChar](repeating: 0, count: 4_096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        precondition(count > 0, "no /proc/self/exe")
        let bundle = URL(fileURLWithPath: String(decoding: buffer.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self))
        return bundle.deletingLastPathComponent().appendingPathComponent("martlet").path
    }()

    func run(
        _ arguments: String..., environment: [String: String] = [:], input: String? = nil
    ) async throws -> Result {
        try await run(arguments, environment: environment, input: input)
    }

    func run(
        _ arguments: [String], environment: [String: String] = [:], input: String? = nil
    ) async throws -> Result {
        let process = try prepare(arguments, environment: environment, input: input)
        return try await finish(process)
    }

    /// Not yet started; output and errors go to files, which no reader can hold up.
    func prepare(
        _ arguments: [String], environment: [String: String] = [:], input: String? = nil
    ) throws -> Process {
        let process = Process()
        let command = wrapper + [Self.path] + arguments
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.currentDirectoryURL = URL(fileURLWithPath: directory.path)
        process.environment = ["PATH": "/usr/local/bin:/usr/bin:/bin"].merging(environment) { $1 }
        process.standardOutput = try FileHandle(forWritingTo: file("output"))
        process.standardError = try FileHandle(forWritingTo: file("errors"))
        let source = try input.map { try streams.write("input", $0) } ?? "/dev/null"
        process.standardInput = try FileHandle(forReadingFrom: URL(fileURLWithPath: source))
        return process
    }

    func finish(_ process: Process) async throws -> Result {
        await withCheckedContinuation { continuation in
            process.terminationHandler = { _ in continuation.resume() }
            do {
                try process.run()
            } catch {
                preconditionFailure("cannot start \(process.arguments ?? []): \(error)")
            }
        }
        return try result(of: process)
    }

    func result(of process: Process) throws -> Result {
        let isSignal = process.terminationReason == .uncaughtSignal
        return Result(
            status: isSignal ? -process.terminationStatus : process.terminationStatus,
            output: try read("output"), errors: try read("errors"))
    }

    func read(_ name: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(fileURLWithPath: streams.path + "/" + name)), as: UTF8.self)
    }

    private func file(_ name: String) throws -> URL { URL(fileURLWithPath: try streams.write(name, "")) }
}
