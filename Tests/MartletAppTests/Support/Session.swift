import Foundation
import Glibc
import MartletApp
import MartletCore
import Synchronization

/// The program run in this process, in a directory and with a database of its own.
final class Session: Sendable {
    struct Result {
        let status: Int32
        let output: String
        let errors: String

        var lines: [String] { output.split(separator: "\n").map(String.init) }

        /// Each line of output as an object.
        func objects() throws -> [[String: Any]] {
            try lines.map { line in
                let value = try JSONSerialization.jsonObject(with: Data(line.utf8))
                guard let object = value as? [String: Any] else { throw NotAnObject(line: line) }
                return object
            }
        }
    }

    struct NotAnObject: Error {
        let line: String
    }

    let directory: TemporaryDirectory
    let database: String

    init() throws {
        directory = try TemporaryDirectory()
        database = directory.path + "/martlet.db"
    }

    /// - Parameters:
    ///   - answer: what the person at the terminal says; nil: nobody is there.
    ///   - width: of the terminal that output and errors go to; nil: they are piped.
    func run(
        _ arguments: String..., environment: [String: String] = [:], answer: String? = nil, width: Int? = nil,
        input: String? = nil
    ) async throws -> Result {
        try await run(arguments, environment: environment, answer: answer, width: width, input: input)
    }

    func run(
        _ arguments: [String], environment: [String: String] = [:], answer: String? = nil, width: Int? = nil,
        input: String? = nil
    ) async throws -> Result {
        let output = Capture()
        let errors = Capture()
        let terminal = width.map { Terminal(width: $0, color: false) }
        let source = try input.map { try directory.write("input", $0) }
        let descriptor = open(source ?? "/dev/null", O_RDONLY | O_CLOEXEC)
        defer { close(descriptor) }
        let answering: @Sendable () -> String? = { answer }
        let console = Console(
            environment: ["MARTLET_DATABASE_URL": "sqlite:\(database)", "PATH": "/usr/bin:/bin"]
                .merging(environment) { $1 },
            output: output.stream(terminal), errors: errors.stream(terminal), input: descriptor,
            answer: answer == nil ? nil : answering,
            now: { Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1_000_000)) })
        let status = await App.run(arguments: arguments, console: console)
        return Result(status: status, output: output.text, errors: errors.text)
    }
}

final class Capture: Sendable {
    private let bytes = Mutex<[UInt8]>([])

    var text: String { bytes.withLock { String(decoding: $0, as: UTF8.self) } }

    func stream(_ terminal: Terminal?) -> Outlet {
        Outlet(terminal: terminal) { written throws(OutputClosed) in
            self.bytes.withLock { $0 += written }
        }
    }
}

/// Gone, with all that is in it, when the test is.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        path = url.path
    }

    deinit {
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            FileHandle.standardError.write(Data("cannot remove \(path): \(error)\n".utf8))
        }
    }

    /// - Returns: the path of the file.
    @discardableResult
    func write(_ name: String, _ text: String) throws -> String { try write(name, Array(text.utf8)) }

    @discardableResult
    func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        let file = path + "/" + name
        try Data(bytes).write(to: URL(fileURLWithPath: file))
        return file
    }
}
