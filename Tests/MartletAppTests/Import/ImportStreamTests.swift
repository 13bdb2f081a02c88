import Foundation
import Glibc
import MartletCore
import MartletStore
import Testing

@testable import MartletApp

/// Streams, stores that fail, and tasks that are cancelled.
@Suite(.serialized)
struct ImportStreamTests {
    @Test func `a pipe is read to its end and has no known size`() async throws {
        let line = Array("{\"to\":\"somebody@example.com\"}\n".utf8)
        let pipe = try FilledPipe(endlessly: line, upTo: line.count * 20_000)
        let store = RecordingStore(keeping: false)
        var seen: [Int] = []
        let report = try await Importer(
            pipe.source, format: .ndjson, defaults: ImportDefaults(kind: "mail"), patience: .seconds(3_600)
        )
        .run(into: store) { progress in
            #expect(progress.totalBytes == nil)
            seen.append(progress.enqueued)
        }
        #expect(report.enqueued == 20_000 && report.bytes == line.count * 20_000 && store.count == 20_000)
        #expect(seen == [5_000, 10_000, 15_000, 20_000, 20_000])
    }

    @Test func `two hundred thousand lines take no more memory than twenty thousand`() async throws {
        let line = Array("{\"file\":\"a.png\"}\n".utf8)
        func peak(_ lines: Int) async throws -> Int {
            let pipe = try FilledPipe(endlessly: line, upTo: line.count * lines)
            var most = 0
            let report = try await Importer(pipe.source, format: .ndjson, defaults: ImportDefaults(kind: "a"))
                .run(into: RecordingStore(keeping: false)) { _ in most = max(most, Self.residentBytes()) }
            #expect(report.enqueued == lines)
            return most
        }
        let few = try await peak(20_000)
        // All of the jobs together would be some 50 MB.
        #expect(try await peak(200_000) - few < 20 << 20)
    }

    @Test func `one line without an end is refused when its limit is reached`() async throws {
        let pipe = try FilledPipe(endlessly: Array(repeating: UInt8(ascii: "["), count: 1 << 16), upTo: 100 << 20)
        let failure = try await failure {
            _ = try await Importer(pipe.source, format: .ndjson, defaults: ImportDefaults(kind: "a"))
                .run(into: RecordingStore())
        }
        #expect(failure.reason.hasPrefix("standard input:1: args: is longer than 1048576 bytes."))
        // Nearly all of it is still to come: the pipe is read here, not there.
        var left = 0
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = read(pipe.source.descriptor, &buffer, buffer.count), count > 0 { left += count }
        #expect(left > 95 << 20)
    }

    @Test func `a store that fails leaves what it had, and says where to go on`() async throws {
        let store = RecordingStore(refuse: { $0 == 3 ? StoreError(.full, "the disk is full") : nil })
        let failure = try await failure {
            _ = try await importing((1...1_000).map { "\($0)\n\n" }.joined(), into: store, batchJobs: 100)
        }
        #expect(store.calls == [100, 100, 100] && store.count == 200)
        #expect(failure.resumeLine == 400 && failure.line == nil && failure.uncertain == nil)
        #expect(
            failure.description == """
                the disk is full
                200 jobs were enqueued (ids 1 to 200), up to line 399; nothing from line 400 on. \
                To finish, go on with --start-line 400
                """)
    }

    @Test func `an answer that was lost is said to be unknown`() async throws {
        let store = RecordingStore(refuse: { $0 == 2 ? StoreError(.unknown, "the connection broke") : nil })
        let failure = try await failure {
            _ = try await importing((1...250).map { "\($0)\n" }.joined(), into: store, batchJobs: 100)
        }
        #expect(failure.uncertain == 101...200 && failure.resumeLine == 101)
        #expect(failure.consequence.contains("Whether lines 101 to 200 were enqueued as well is unknown"))
    }

    @Test func `what cannot be read is named`() async throws {
        let descriptor = open("/", O_RDONLY | O_CLOEXEC)
        defer { close(descriptor) }
        let failure = try await failure {
            _ = try await Importer(
                ImportSource(name: "/", descriptor: descriptor), format: .ndjson, defaults: ImportDefaults(kind: "a")
            ).run(into: RecordingStore())
        }
        #expect(failure.reason == "/: cannot be read: Is a directory")
        #expect(failure.consequence == "Nothing was enqueued. To finish, start again")
    }

    /// The pipe stays open and says nothing more: only the cancellation can end the import.
    @Test func `cancelling ends an import that waits for its source`() async throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        let (reading, writing) = (ends[0], ends[1])
        defer {
            close(reading)
            close(writing)
        }
        #expect(write(writing, "1\n2\n3\n", 6) == 6)
        let store = RecordingStore()
        let (stored, storing) = AsyncStream.makeStream(of: Void.self)
        let task = Task {
            try await Importer(
                ImportSource(name: "standard input", descriptor: reading), format: .ndjson,
                defaults: ImportDefaults(kind: "a"), batchJobs: 3
            ).run(into: store) { _ in storing.yield() }
        }
        for await _ in stored { break }
        task.cancel()
        let failure = try await failure { _ = try await task.value }
        #expect(failure.reason == "standard input: the import was stopped")
        #expect(failure.done.enqueued == 3 && failure.resumeLine == 4 && store.args == ["1", "2", "3"])
    }

    /// The pipe stays open in the middle of a record until what stands before it has been stored.
    @Test(arguments: [
        (ImportFormat.ndjson, "1\n2\n\n3\n4", "2\n", 4, ["1", "2", "3", "42"]),
        (.envelope, #"{"args":1}"# + "\n" + #"{"ar"#, #"gs":2}"#, 1, ["1", "2"]),
        (
            .csv, "a,b\n1,x\n2,\"y", "\nz\"\n3,\n", 2,
            [#"{"a":"1","b":"x"}"#, #"{"a":"2","b":"y\nz"}"#, #"{"a":"3","b":""}"#]
        ),
    ])
    func `a source that pauses does not keep jobs waiting for a full batch`(
        format: ImportFormat, before: String, after: String, lines: Int, args: [String]
    ) async throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        let (reading, writing) = (ends[0], ends[1])
        defer { close(reading) }
        #expect(write(writing, before, before.utf8.count) == before.utf8.count)
        let store = RecordingStore()
        var seen: [Int] = []
        let report = try await Importer(
            ImportSource(name: "standard input", descriptor: reading), format: format, defaults: ImportDefaults(kind: "a"),
            patience: .milliseconds(1)
        ).run(into: store) { progress in
            seen.append(progress.lines)
            guard seen.count == 1 else { return }
            #expect(write(writing, after, after.utf8.count) == after.utf8.count)
            close(writing)
        }
        #expect(seen.first == lines)
        #expect(store.args == args)
        #expect(report.enqueued == args.count)
    }

    @Test func `one batch is read while another is stored`() async throws {
        let line = Array("\"\(String(repeating: "x", count: 9_997))\"\n".utf8)
        let (batchJobs, batches) = (20, 15)
        let batchBytes = batchJobs * line.count
        let pipe = try FilledPipe(endlessly: line, upTo: batches * batchBytes)
        let store = RecordingStore(
            keeping: false,
            inside: { call in
                // Not before the next batch, if there is one, has left the writer. (Its last piece may not be counted yet.)
                while pipe.written < min(call + 1, batches) * batchBytes - line.count { await Task.yield() }
                // Beyond that only what the pipe and the reader's window hold.
                #expect(pipe.written <= (call + 1) * batchBytes + (64 + 2 * 256) << 10)
            })
        let report = try await Importer(
            pipe.source, format: .ndjson, defaults: ImportDefaults(kind: "a"), batchJobs: batchJobs,
            patience: .seconds(3_600)
        ).run(into: store)
        #expect(report.enqueued == batches * batchJobs && store.calls.count == batches)
    }

    private static func residentBytes() -> Int {
        do {
            let fields = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
            return Int(fields[1])! * Int(getpagesize())
        } catch {
            Issue.record(error)
            return 0
        }
    }
}
