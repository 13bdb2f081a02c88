import MartletCore
import Testing

@testable import MartletApp

struct CSVImportTests {
    @Test func `rows become objects of strings`() async throws {
        let (store, report) = try await importing("file,size,\"a \"\"b\"\"\"\na.png,200,\nb.png,\"1,5\",ü\n", .csv)
        #expect(
            store.args == [
                #"{"file":"a.png","size":"200","a \"b\"":""}"#, #"{"file":"b.png","size":"1,5","a \"b\"":"ü"}"#,
            ])
        #expect(report.enqueued == 2 && report.lines == 3 && report.bytes == report.totalBytes)
    }

    @Test(arguments: [
        "a,b\n1,2\n3,4", "a,b\r\n1,2\r\n3,4\r\n", "\u{FEFF}a,b\n1,2\n3,4\n", "\"a\",\"b\"\r\n\"1\",\"2\"\r\n\"3\",\"4\"",
        "\n\na,b\n\n1,2\r\n\r\n3,4\n\n",
    ])
    func `line ends, quotes, blank lines and a byte order mark do not matter`(text: String) async throws {
        #expect(try await importing(text, .csv).0.args == [#"{"a":"1","b":"2"}"#, #"{"a":"3","b":"4"}"#])
    }

    @Test func `quoted fields keep line ends, quotes, backslashes and control characters`() async throws {
        let (store, report) = try await importing("a\n\"x\r\ny \"\"z\"\" \\ \t\u{1}\"\n\"\"\n", .csv)
        #expect(store.args == [#"{"a":"x\r\ny \"z\" \\ \t\u0001"}"#, #"{"a":""}"#])
        #expect(report.lines == 4)
    }

    @Test(arguments: [
        ("", 1, "header: is missing"), ("\n\n", 1, "header: is missing"), ("a,,c\n", 1, "header: has no name for column 2"),
        ("a,b,a\n", 1, "header: names \"a\" twice"), ("\na,b\n1\n", 3, "row: has 1 fields; the header names 2"),
        ("a,b\n1,2\n1,2,3\n", 3, "row: has 3 fields; the header names 2"),
        ("a,b\n\"1\n1\",2\n\"3\n3\",4,5\n", 4, "row: has 3 fields"),
        ("a,b\n1,\"2\n3\n", 2, "row: has a quoted field that never ends"),
        ("a,b\n1,\"2\"3\n", 2, "row: has text behind the closing quote of field 2"),
        ("a,b\nx\"1,2\n", 2, "row: has a quote inside field 1"), ("a,b\n1\r2,3\n", 2, "row: has a carriage return"),
        ("a;b\n1;2\n", 1, "header: is one column that holds semicolons; if they separate columns, add --delimiter ';'"),
        ("a\tb\n1\t2\n", 1, "header: is one column that holds tabs; if they separate columns, add --delimiter tab"),
        ("a,b\n1,x\0y\n", 2, "b: contains a NUL character"), ("a,b\0\n", 1, "header: contains a NUL character"),
    ])
    func `what is wrong names its line`(text: String, line: Int, reason: String) async throws {
        let failure = try await failure { _ = try await importing(text, .csv) }
        #expect(failure.reason.hasPrefix("jobs.txt:\(line): \(reason)"), "\(failure.reason)")
    }

    @Test func `text that is not UTF-8 names its column`() async throws {
        let file = try TemporaryFile(Array("first,second\nok,ok\nok,b".utf8) + [0xE9] + Array("\n".utf8))
        let failure = try await failure {
            _ = try await Importer(file.source, format: .csv, defaults: ImportDefaults(kind: "a"))
                .run(into: RecordingStore())
        }
        #expect(failure.reason == "jobs.txt:3: second: is not valid UTF-8")
    }

    @Test func `going on reads the header again and each row exactly once`() async throws {
        var rows = (1...500).map { "\($0),\"line\nbreak \($0)\"" }
        rows[321] = "bad"
        func text() -> String { "n,text\n" + rows.joined(separator: "\n") + "\n" }
        let store = RecordingStore()
        let failed = try await failure { _ = try await importing(text(), .csv, into: store, batchJobs: 50) }
        #expect(failed.line == 2 + 321 * 2 && failed.done.enqueued == 300 && failed.resumeLine == 602)
        rows[321] = "322,\"line\nbreak 322\""
        _ = try await importing(text(), .csv, into: store, startLine: failed.resumeLine, batchJobs: 50)
        #expect(store.args == (1...500).map { "{\"n\":\"\($0)\",\"text\":\"line\\nbreak \($0)\"}" })
    }

    @Test func `a row that is too long is refused`() async throws {
        let text = "a,b\n1,\(String(repeating: "x", count: 200_000))\n"
        let failure = try await failure { _ = try await importing(text, .csv, maxArgsBytes: 1_000) }
        #expect(failure.line == 2 && failure.reason.contains("args: is longer than"))
        let commas = "a\n" + String(repeating: ",", count: 200_000)
        let many = try await self.failureOf(commas)
        #expect(many.line == 2 && many.reason.contains("args: is longer than"))
    }

    private func failureOf(_ text: String) async throws -> ImportFailure {
        try await failure { _ = try await importing(text, .csv, maxArgsBytes: 1_000) }
    }
}
