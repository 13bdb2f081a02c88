import MartletCore
import MartletStore
import Testing

@testable import MartletApp

@Suite struct ImportCommandTests {
    let session: Session

    init() throws { session = try Session() }

    @Test func `each line is a job, and JSON says how many and which`() async throws {
        let file = try session.directory.write("jobs.ndjson", "{\"a\":1}\n2\n\"three\"\n")
        let result = try await session.run("enqueue", "k", "--from", file, "--queue", "bulk", "--json")
        #expect(result.status == 0)
        #expect(result.output == #"{"enqueued":3,"first_id":1,"last_id":3}"# + "\n")
        #expect(result.errors == "created \(session.database)\n")
        let again = try await session.run("enqueue", "k", "--from", "-", input: "1\n")
        #expect(again.output == "enqueued 1 job, id 4\n")
        #expect(try await session.run("jobs", "--queue", "bulk", "--json").lines.count == 3)
    }

    @Test func `envelopes and CSV`() async throws {
        let envelope = #"{"args":{"a":1},"queue":"q","priority":1,"run_at":"2999-01-01T00:00:00Z"}"#
        #expect(try await session.run("enqueue", "k", "--from", "-", "--envelope", input: envelope).status == 0)
        #expect(try await session.run("enqueue", "k", "--from", "-", "--csv", input: "a,b\n1,x\n2,\"y,z\"\n").status == 0)
        let jobs = try await session.run("jobs", "--json").objects()
        #expect(jobs.count == 3)
        #expect(jobs[0]["args"] as? [String: String] == ["a": "2", "b": "y,z"])
        #expect(jobs[2]["state"] as? String == "scheduled")
        #expect(jobs[2]["queue"] as? String == "q")
    }

    @Test(arguments: [(";", "a;b\n1;\"x;y\"\n"), ("tab", "a\tb\n1\tx;y\n"), ("\\t", "a\tb\n1\tx;y\n")])
    func `columns may be separated by something else`(delimiter: String, text: String) async throws {
        let result = try await session.run(
            "enqueue", "k", "--from", "-", "--csv", "--delimiter", delimiter, input: text)
        #expect(result.status == 0, "\(result.errors)")
        #expect(try await session.run("jobs", "--json").output.contains(#""args":{"a":"1","b":"x;y"}"#))
    }

    @Test func `a column in quotes may hold any delimiter`() async throws {
        let result = try await session.run("enqueue", "k", "--from", "-", "--csv", input: "\"a;b\"\n1\n")
        #expect(result.status == 0, "\(result.errors)")
    }

    @Test func `a bad line is named with file, line and reason, and with what was and was not enqueued`() async throws {
        // One batch is stored before the bad line is reached; those read after it are not.
        let good = String(repeating: "{}\n", count: Limits.importBatchJobs + 2)
        let bad = Limits.importBatchJobs + 3
        let file = try session.directory.write("jobs.ndjson", good + "{\"a\":1,\"a\":2}\n{}\n")
        let result = try await session.run("enqueue", "k", "--from", file, "--json")
        #expect(result.status == 1)
        #expect(result.errors.contains("\(file):\(bad): "))
        #expect(result.errors.contains("twice in one object"))
        let report = try #require(try result.objects().first)
        let enqueued = try #require(report["enqueued"] as? Int)
        let start = try #require(report["start_line"] as? Int)
        #expect(report["line"] as? Int == bad)
        #expect(enqueued == Limits.importBatchJobs)
        #expect(start == enqueued + 1)
        #expect(result.errors.contains("\(enqueued) jobs were enqueued (ids 1 to \(enqueued)), up to line \(enqueued)"))
        #expect(result.errors.contains("--start-line \(start)"))
        #expect(try await session.counts()[.available] == enqueued)

        try session.directory.write("jobs.ndjson", good + "{\"a\":1}\n{}\n")
        #expect(try await session.run("enqueue", "k", "--from", file, "--start-line", "\(start)").status == 0)
        #expect(try await session.counts()[.available] == bad + 1)
    }

    @Test func `a bad line before the first batch leaves nothing`() async throws {
        let result = try await session.run("enqueue", "k", "--from", "-", input: "{}\n{\n")
        #expect(result.status == 1)
        #expect(result.output == "")
        #expect(result.errors.contains("standard input:2: "))
        #expect(result.errors.contains("Nothing was enqueued"))
        #expect(try await session.counts()[.available] == 0)
    }

    @Test func `progress is shown on a terminal only, and leaves no trace`() async throws {
        let lines = String(repeating: "{}\n", count: 6_000)
        let piped = try await session.run("enqueue", "k", "--from", "-", input: lines)
        #expect(piped.errors == "created \(session.database)\n")
        let shown = try await session.run(["enqueue", "k", "--from", "-"], width: 80, input: lines)
        #expect(shown.errors.contains("enqueued"))
        #expect(shown.errors.contains("%"))
        #expect(shown.errors.hasSuffix("\r\u{1B}[K"))
    }

    @Test func `what is wrong with every line is said before the first`() async throws {
        let result = try await session.run("enqueue", "k", "--from", "-", "--in", "4000d", input: "{}\n")
        #expect(result.status == 2)
        #expect(result.errors.contains("--in: "))
    }
}
