import Foundation
import Glibc
import MartletCore
import MartletStore
import Synchronization
import Testing

@testable import MartletApp

/// A file that is gone when the test is.
final class TemporaryFile {
    let path: String
    let source: ImportSource

    init(_ text: String) throws { (path, source) = try Self.write(Data(text.utf8)) }

    init(_ bytes: [UInt8]) throws { (path, source) = try Self.write(Data(bytes)) }

    deinit {
        close(source.descriptor)
        unlink(path)
    }

    private static func write(_ data: Data) throws -> (String, ImportSource) {
        let path = FileManager.default.temporaryDirectory.appending(path: "martlet-\(UUID().uuidString)").path
        try data.write(to: URL(filePath: path))
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        try #require(descriptor >= 0)
        return (path, ImportSource(name: "jobs.txt", descriptor: descriptor))
    }
}

/// A pipe that a thread fills: with pieces, or with one piece again and again until nobody reads any more.
final class FilledPipe: Sendable {
    let source: ImportSource
    private let counter = Counter()

    private final class Counter: Sendable {
        let value = Atomic(0)
    }

    /// Bytes the writer has got rid of.
    var written: Int { counter.value.load(ordering: .acquiring) }

    init(endlessly piece: [UInt8], upTo bytes: Int = .max) throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        signal(SIGPIPE, SIG_IGN)
        source = ImportSource(name: "standard input", descriptor: ends[0])
        let writer = ends[1]
        Thread.detachNewThread { [counter] in
            var left = bytes
            while left > 0 {
                let count = write(writer, piece, min(left, piece.count))
                if count <= 0 { break }
                left -= count
                counter.value.add(count, ordering: .releasing)
            }
            close(writer)
        }
    }

    deinit { close(source.descriptor) }
}

func importing(
    _ text: String, _ format: ImportFormat = .ndjson, into store: RecordingStore = RecordingStore(), startLine: Int = 1,
    batchJobs: Int = Limits.importBatchJobs, maxArgsBytes: Int = Limits.argsBytes
) async throws -> (RecordingStore, ImportReport) {
    let file = try TemporaryFile(text)
    let importer = Importer(
        file.source, format: format, defaults: ImportDefaults(kind: "resize"), startLine: startLine,
        maxArgsBytes: maxArgsBytes, batchJobs: batchJobs)
    return (store, try await importer.run(into: store))
}

/// How an import that must fail, fails.
func failure(_ importing: () async throws -> Void) async throws -> ImportFailure {
    let error = await #expect(throws: ImportFailure.self) { try await importing() }
    return try #require(error)
}
