import MartletCore
import MartletStore
import Testing

@testable import MartletApp

struct NDJSONImportTests {
    @Test func `each line becomes a job with the given defaults`() async throws {
        let file = try TemporaryFile("{\"a\": 1}\n[2]\n\"three\"\n")
        let defaults = ImportDefaults(
            kind: "resize", queue: "images", priority: try Priority(validating: 2), start: .after(.seconds(5)),
            maxAttempts: 3, timeout: .seconds(9))
        let store = RecordingStore()
        let report = try await Importer(file.source, format: .ndjson, defaults: defaults).run(into: store)
        #expect(store.args == ["{\"a\": 1}", "[2]", "\"three\""])
        for record in store.records {
            #expect(record.kind == "resize" && record.queue == "images" && record.priority == 2)
            #expect(record.start == .after(.seconds(5)) && record.maxAttempts == 3 && record.timeout == .seconds(9))
        }
        #expect(report.enqueued == 3 && report.lines == 3 && report.bytes == 21 && report.totalBytes == 21)
        #expect(report.firstID == JobID(rawValue: 1) && report.lastID == JobID(rawValue: 3))
    }

    @Test(arguments: [
        "1\n2\n3", "1\n2\n3\n", "1\r\n2\r\n3\r\n", "1\r\n2\r\n3", "\u{FEFF}1\n2\n3\n", "\n1\n\n  \t\n2\n\r\n3\n\n",
        " 1\t\n\t2 \n3 \r\n",
    ])
    func `line ends, blank lines and a byte order mark do not matter`(text: String) async throws {
        #expect(try await importing(text).0.args == ["1", "2", "3"])
    }

    @Test(arguments: ["", "\n", "\u{FEFF}", " \r\n\n"])
    func `nothing makes no jobs`(text: String) async throws {
        let (store, report) = try await importing(text)
        #expect(store.calls == [] && report.enqueued == 0 && report.firstID == nil)
    }

    @Test func `jobs come in order, in batches, one call at a time`() async throws {
        let text = (1...1_003).map { "\($0)\n" }.joined()
        let (store, report) = try await importing(
            text, into: RecordingStore(inside: { _ in await Task.yield() }), batchJobs: 100)
        #expect(store.calls == Array(repeating: 100, count: 10) + [3])
        #expect(store.args == (1...1_003).map(String.init))
        #expect(!store.overlapped)
        #expect(report.enqueued == 1_003 && report.lines == 1_003)
    }

    @Test func `large args make smaller batches`() async throws {
        let line = "\"\(String(repeating: "a", count: 998))\"\n"
        let file = try TemporaryFile(String(repeating: line, count: 25))
        let store = RecordingStore()
        _ = try await Importer(
            file.source, format: .ndjson, defaults: ImportDefaults(kind: "a"), batchBytes: 10_000
        ).run(into: store)
        #expect(store.calls == [10, 10, 5])
    }

    @Test func `a bad line says file, line and reason, and what was and was not enqueued`() async throws {
        var lines = (1...1_000).map { "{\"n\":\($0)}" }
        lines[749] = "{\"n\":750"
        let store = RecordingStore()
        let failure = try await failure {
            _ = try await importing(lines.joined(separator: "\n"), into: store, batchJobs: 100)
        }
        #expect(failure.line == 750 && failure.resumeLine == 701)
        #expect(failure.done.enqueued == 700 && store.count == 700)
        #expect(failure.done.firstID == JobID(rawValue: 1) && failure.done.lastID == JobID(rawValue: 700))
        #expect(
            failure.description == """
                jobs.txt:750: args: is not JSON: it ends where ',' or '}' is expected, at byte 8
                700 jobs were enqueued (ids 1 to 700), up to line 700; nothing from line 701 on. \
                Correct the line and go on with --start-line 701
                """)
    }

    @Test func `a bad line in the first batch leaves nothing`() async throws {
        let store = RecordingStore()
        let failure = try await failure { _ = try await importing("1\n2\nx\n", into: store) }
        #expect(store.calls == [])
        #expect(failure.line == 3 && failure.resumeLine == 1 && failure.done.enqueued == 0)
        #expect(failure.consequence == "Nothing was enqueued. Correct the line and start again")
    }

    @Test func `one job is told as one`() async throws {
        let failure = try await failure { _ = try await importing("1\n\nx\n", batchJobs: 1) }
        #expect(
            failure.consequence == """
                1 job was enqueued (id 1), up to line 1; nothing from line 2 on. \
                Correct the line and go on with --start-line 2
                """)
    }

    @Test func `going on after the correction gives each job exactly once`() async throws {
        var lines = (1...1_000).map(String.init)
        lines[432] = "oops"
        let store = RecordingStore()
        let failed = try await failure {
            _ = try await importing(lines.joined(separator: "\n"), into: store, batchJobs: 64)
        }
        lines[432] = "433"
        let (_, report) = try await importing(
            lines.joined(separator: "\n"), into: store, startLine: failed.resumeLine, batchJobs: 64)
        #expect(store.args == (1...1_000).map(String.init))
        #expect(report.enqueued == 1_000 - failed.done.enqueued && report.lines == 1_000)
    }

    @Test func `lines that are passed over need not be good, nor short`() async throws {
        let text = "\u{FEFF}oops\n\"\(String(repeating: "a", count: 600_000))\"\n\n4\n"
        #expect(try await importing(text, startLine: 3, maxArgsBytes: 100).0.args == ["4"])
        #expect(try await importing(text, startLine: 99).1.lines == 4)
    }

    @Test func `a line with a wrong byte is refused`() async throws {
        let file = try TemporaryFile(Array("\"a\"\n\"".utf8) + [0xFF] + Array("\"\n".utf8))
        let failure = try await failure {
            _ = try await Importer(file.source, format: .ndjson, defaults: ImportDefaults(kind: "a"))
                .run(into: RecordingStore())
        }
        #expect(failure.reason == "jobs.txt:2: args: is not valid UTF-8 at byte 1")
    }

    @Test func `args may have their limit, and not a byte more`() async throws {
        let fits = "\"\(String(repeating: "a", count: 98))\""
        #expect(try await importing("  \(fits)  \n", maxArgsBytes: 100).1.enqueued == 1)
        let failure = try await failure { _ = try await importing("\(fits)\n", maxArgsBytes: 99) }
        #expect(failure.reason.hasPrefix("jobs.txt:1: args: is 100 bytes long; at most 99."))
    }
}
