import Foundation
import Glibc
import MartletCore
import MartletStore
import MartletWorker
import Testing

@testable import MartletApp

@Suite struct EnqueueTests {
    let session: Session

    init() throws { session = try Session() }

    @Test func `prints the id, and says where a new database is`() async throws {
        let first = try await session.run("enqueue", "resize", #"{"file":"a.png"}"#)
        let second = try await session.run("enqueue", "resize")
        #expect(first.status == 0)
        #expect(first.output == "1\n")
        #expect(second.output == "2\n")
        #expect(first.errors == "created \(session.database)\n")
        #expect(second.errors == "")
    }

    /// It is read without the other commands, which nobody should notice.
    @Test func `help, version, completions and mistakes are those of the whole program`() async throws {
        let help = try await session.run("enqueue", "--help")
        #expect(help.status == 0)
        #expect(help.output.contains("USAGE: martlet enqueue [<options>] <kind>"))
        #expect(try await session.run("help", "enqueue").output == help.output)
        #expect(try await session.run("enqueue", "--version").output == Version.current + "\n")
        let completions = try await session.run("enqueue", "k", "--generate-completion-script", "bash")
        #expect(completions.output == (try await session.run("--generate-completion-script", "bash")).output)
        #expect(completions.output.contains("_martlet_enqueue"))
        let mistake = try await session.run("enqueue", "k", "--quue", "images")
        #expect(mistake.status == 2)
        #expect(mistake.errors.contains("Unknown option '--quue'"))
        #expect(mistake.errors.contains("Usage: martlet enqueue [<options>] <kind>"))
        #expect(try await session.run("enqueue").status == 2)
        #expect(!FileManager.default.fileExists(atPath: session.database))
    }

    @Test(arguments: [
        ["resize"], ["resize", "[1, -2]", "--json"], ["--queue", "images", "resize", "{}"],
        [
            "k", "--args-file", "a.json", "--queue", "q", "--priority", "2", "--in", "5m", "--at", "2026", "--expires-in",
            "1h",
            "--expires-at", "2027", "--max-attempts", "3", "--timeout", "9s", "--max-args-bytes", "7", "--database", "a.db",
            "--schema", "s",
        ],
    ])
    func `what is read without the parser is what the parser would read`(_ arguments: [String]) throws {
        let plain = try #require(EnqueueCommand.plain(arguments[...]))
        let parsed = try #require(try EnqueueCommand.parsed(arguments))
        #expect("\(plain)" == "\(parsed)")
        for value in arguments where !value.hasPrefix("--") { #expect("\(plain)".contains(value)) }
    }

    @Test(arguments: [
        [], ["a", "b", "c"], ["--json"], ["k", "--help"], ["k", "-h"], ["k", "--queue"],
        ["k", "--queue", "a", "--queue", "b"],
        ["k", "--queue=a"], ["k", "--quue", "a"], ["k", "--priority", "-1"], ["k", "--json", "--json"], ["k", "-1"],
        ["--", "k"],
        ["k", "--from", "a"], ["k", "--csv"], ["k", "--version"],
    ])
    func `whatever is not plain is left to the parser`(_ arguments: [String]) {
        #expect(EnqueueCommand.plain(arguments[...]) == nil)
    }

    @Test func `what the options say is what the job has`() async throws {
        let result = try await session.run(
            "enqueue", "resize", #"{"n": 1.50}"#, "--queue", "images", "--priority", "2", "--in", "1h", "--max-attempts",
            "3",
            "--timeout", "90s", "--json")
        #expect(result.output == #"{"id":1,"kind":"resize","queue":"images"}"# + "\n")
        let detail = try #require(try await session.withStore { try await $0.job(JobID(rawValue: 1)) })
        #expect(detail.summary.state == .scheduled)
        #expect(detail.summary.priority.rawValue == 2)
        #expect(detail.summary.maxAttempts == 3)
        #expect(detail.summary.args.string == #"{"n": 1.50}"#)
        #expect(detail.timeout == .seconds(90))
    }

    @Test func `an expiry is given as a time from now or as a moment, for one job and for all of a file`() async throws {
        func expiry(_ id: Int64) async throws -> JobExpiry? {
            try await session.withStore { try await $0.job(JobID(rawValue: id))?.expiry }
        }
        #expect(try await session.run("enqueue", "resize", "--expires-at", "2099-01-01T00:00:00Z").status == 0)
        #expect(try await expiry(1)?.at.rfc3339 == "2099-01-01T00:00:00.000Z")
        let file = session.directory.path + "/jobs.ndjson"
        try "{}\n{\"a\":1}\n".write(toFile: file, atomically: true, encoding: .utf8)
        #expect(try await session.run("enqueue", "resize", "--from", file, "--expires-in", "1h").status == 0)
        for id in [2, 3] as [Int64] {
            let job = try #require(try await session.withStore { try await $0.job(JobID(rawValue: id)) })
            #expect(try #require(job.expiry).at == job.summary.enqueuedAt + .seconds(3_600))
        }
    }

    struct Mistake: Sendable, CustomTestStringConvertible {
        let arguments: [String]
        let message: String
        var testDescription: String { arguments.joined(separator: " ") }

        init(_ arguments: String..., message: String) {
            self.arguments = arguments
            self.message = message
        }
    }

    @Test(arguments: [
        Mistake("enqueue", "k", "{", message: "ARGS-JSON: is not JSON"),
        Mistake("enqueue", "k", "{'a':1}", message: "ARGS-JSON: is not JSON"),
        Mistake("enqueue", "k", "", message: "ARGS-JSON: is empty"),
        Mistake("enqueue", "k", #"{"a":1,"a":2}"#, message: "ARGS-JSON: has the key \"a\" twice"),
        Mistake("enqueue", "k", #"{"a":"\u0000"}"#, message: "ARGS-JSON: contains a NUL"),
        Mistake("enqueue", "k", #"{"a":"\ud800"}"#, message: "ARGS-JSON: "),
        Mistake("enqueue", "k", "{} {}", message: "ARGS-JSON: has text after the end"),
        Mistake("enqueue", "k", "{}", "--max-args-bytes", "1", message: "--max-args-bytes: 1 is out of range"),
        Mistake("enqueue", "k", #"{"a":1}"#, "--max-args-bytes", "6", message: "ARGS-JSON: is 7 bytes long; at most 6"),
        Mistake("enqueue", "k", "--expires-in", "0s", message: "--expires-in: must be longer than nothing"),
        Mistake("enqueue", "k", "--expires-in", "1h", "--in", "2h", message: "--expires-in: is over before the job is due"),
        Mistake("enqueue", "k", "--expires-at", "soon", message: "--expires-at: \"soon\" is not an RFC 3339 time"),
        Mistake(
            "enqueue", "k", "--expires-in", "1h", "--expires-at", "2099-01-01T00:00:00Z",
            message: "--expires-at: cannot be used together with --expires-in"),
        Mistake("enqueue", "k", "--priority", "10", message: "--priority: 10 is out of range"),
        Mistake("enqueue", "k", "--priority", "-1", message: "--priority: -1 is out of range"),
        Mistake("enqueue", "k", "--priority", "high", message: "--priority: \"high\" is not a number"),
        Mistake("enqueue", "k", "--in", "-5m", message: "--in: \"-5m\" is negative"),
        Mistake("enqueue", "k", "--in", "5", message: "--in: "),
        Mistake("enqueue", "k", "--in", "4000d", message: "--in: "),
        Mistake("enqueue", "k", "--at", "2026-02-30T00:00:00Z", message: "--at: \"2026-02-30T00:00:00Z\" does not exist"),
        Mistake("enqueue", "k", "--at", "tomorrow", message: "--at: "),
        Mistake(
            "enqueue", "k", "--at", "2026-01-01T00:00:00Z", "--in", "1s", message: "--at: cannot be used together with --in"),
        Mistake("enqueue", "k", "--max-attempts", "0", message: "--max-attempts: 0 is out of range"),
        Mistake("enqueue", "k", "--timeout", "0s", message: "--timeout: "),
        Mistake("enqueue", "k", "--queue", "a b", message: "--queue: \"a b\" is not a name"),
        Mistake("enqueue", "k", "-x", message: "Unknown option '-x'"),
        Mistake("enqueue", "k k", message: "KIND: \"k k\" is not a name"),
        Mistake("enqueue", message: "Missing expected argument '<kind>'"),
        Mistake("enqueue", "k", "{}", "more", message: "more"),
        Mistake("enqueue", "k", "--prioritty", "3", message: "Did you mean '--priority'?"),
        Mistake("enqueue", "k", "{}", "--args-file", "-", message: "--args-file: cannot be used together with ARGS-JSON"),
        Mistake("enqueue", "k", "--args-file", "/nowhere", message: "--args-file: cannot read /nowhere: No such file"),
        Mistake("enqueue", "k", "--args-file", "/", message: "--args-file: cannot read /: it is a directory"),
        Mistake("enqueue", "k", "--from", "/nowhere", message: "--from: cannot read /nowhere: No such file"),
        Mistake("enqueue", "k", "--csv", message: "--csv: goes with --from"),
        Mistake(
            "enqueue", "k", "--from", "-", "--csv", "--envelope", message: "--csv: cannot be used together with --envelope"),
        Mistake("enqueue", "k", "--from", "-", "--delimiter", ";", message: "--delimiter: goes with --csv"),
        Mistake(
            "enqueue", "k", "--from", "-", "--csv", "--delimiter", "ab", message: "--delimiter: \"ab\" is not one ASCII"),
        Mistake("enqueue", "k", "--from", "-", "--start-line", "0", message: "--start-line: 0 is out of range"),
        Mistake(
            "enqueue", "k", "--database", "postgres://u:secret@[h/d", message: "--database: postgres: is not a URL"),
        Mistake("enqueue", "k", "--database", "mysql://u:secret@h/d", message: "--database: unknown scheme mysql:"),
        Mistake("enqeue", "k", message: "did you mean `martlet enqueue`?"),
        Mistake("--databse", "x", "enqueue", "k", message: "stands before the command"),
    ])
    func `a mistake is named, and nothing is enqueued`(mistake: Mistake) async throws {
        let result = try await session.run(mistake.arguments)
        #expect(result.status == 2)
        #expect(result.output == "")
        #expect(result.errors.hasPrefix("martlet: "))
        #expect(result.errors.contains(mistake.message), "\(result.errors)")
        #expect(!result.errors.contains("secret"))
        #expect(!FileManager.default.fileExists(atPath: session.database))
    }

    @Test func `args files with bytes that are no text are refused`() async throws {
        for bytes: [UInt8] in [Array("{\"a\":\"".utf8) + [0xFF] + Array("\"}".utf8), [0x22, 0x00, 0x22], [0xEF]] {
            let file = try session.directory.write("args.json", bytes)
            let result = try await session.run("enqueue", "k", "--args-file", file)
            #expect(result.status == 2)
            #expect(result.errors.contains("--args-file: "))
        }
        #expect(!FileManager.default.fileExists(atPath: session.database))
    }

    @Test func `args come from a file or from standard input`() async throws {
        let file = try session.directory.write("args.json", "{\n  \"a\": 1\n}\n")
        #expect(try await session.run("enqueue", "k", "--args-file", file).status == 0)
        #expect(try await session.run("enqueue", "k", "--args-file", "-", input: "[2]").status == 0)
        let listed = try await session.run("jobs", "list", "--json").objects()
        #expect(listed.count == 2)
        #expect((listed[1]["args"] as? [String: Int]) == ["a": 1])
        #expect((listed[0]["args"] as? [Int]) == [2])
    }

    @Test func `a gigabyte of args is refused without being read`() async throws {
        let file = try session.directory.write("huge.json", "{}")
        try #require(truncate(file, 1 << 30) == 0)
        let result = try await session.run("enqueue", "k", "--args-file", file)
        #expect(result.status == 2)
        #expect(result.errors.contains("--args-file: \(file) has 1073741824 bytes; at most 1048576 are taken"))

        let descriptor = open(file, O_RDONLY)
        defer { close(descriptor) }
        #expect(throws: InvalidInput.self) {
            try SmallFile.read(descriptor, name: "huge.json", limit: 1 << 20, field: "--args-file")
        }
        #expect(lseek(descriptor, 0, SEEK_CUR) == 0)
        #expect(!FileManager.default.fileExists(atPath: session.database))
    }

    @Test func `of a pipe without an end only as much is read as may be`() throws {
        let endless = open("/dev/zero", O_RDONLY)
        defer { close(endless) }
        let error = #expect(throws: InvalidInput.self) {
            try SmallFile.read(endless, name: "standard input", limit: 1_000, field: "--args-file")
        }
        #expect(error?.reason == "standard input has more than 1000 bytes; at most 1000 are taken")
    }

    @Test func `the limit of args can be raised`() async throws {
        let text = "\"" + String(repeating: "x", count: 2 << 20) + "\""
        let file = try session.directory.write("args.json", text)
        #expect(try await session.run("enqueue", "k", "--args-file", file).status == 2)
        #expect(try await session.run("enqueue", "k", "--args-file", file, "--max-args-bytes", "4194304").status == 0)
        let set = ["MARTLET_MAX_ARGS_BYTES": "4194304"]
        #expect(try await session.run("enqueue", "k", "--args-file", file, environment: set).status == 0)
        #expect(try await session.counts()[.available] == 2)
    }

    @Test func `a bad variable is named`() async throws {
        let url = try await session.run("stats", environment: ["MARTLET_DATABASE_URL": "postgres://u:secret@[h/d"])
        #expect(url.status == 2)
        #expect(url.errors.contains("MARTLET_DATABASE_URL: postgres:"))
        #expect(!url.errors.contains("secret"))
        let limit = try await session.run("enqueue", "k", environment: ["MARTLET_MAX_ARGS_BYTES": "lots"])
        #expect(limit.status == 2)
        #expect(limit.errors.contains("MARTLET_MAX_ARGS_BYTES: \"lots\" is not a whole number"))
    }
}
