import Foundation
import MartletCore
import MartletStore
import Testing

@testable import MartletApp

@Suite struct JobsTests {
    let session: Session

    init() throws { session = try Session() }

    private let failure = JobError(type: "exit", message: "status 1", detail: "line one\nline two")

    private static let listed = [
        "id", "kind", "queue", "priority", "state", "attempt", "max_attempts", "enqueued_at", "run_at", "started_at",
        "finished_at", "worker", "args", "error",
    ]

    @Test func `the keys of a listed job and their order are a contract`() async throws {
        try await session.enqueue(try NewJob(kind: "resize", args: try JSONText(validating: #"{"b":1,"a":"x"}"#)))
        try await session.work("resize") { _ in .failed(failure, .exhausted) }
        let line = try #require(try await session.run("jobs", "list", "--json").lines.first)
        #expect(JSONKeyOrder.keys(of: line) == Self.listed + ["cursor", "cancel_requested", "progress"])
        #expect(line.contains(#""args":{"b":1,"a":"x"},"error":{"type":"exit","message":"status 1","at":""#))
        #expect(line.contains(#""state":"failed","attempt":1,"#))
        let object = try #require(try await session.run("jobs", "list", "--json").objects().first)
        let error = try #require(object["error"] as? [String: Any])
        #expect(Set(error.keys) == ["type", "message", "at", "attempt"])
        for key in ["enqueued_at", "finished_at"] {
            let text = try #require(object[key] as? String)
            #expect(text.hasSuffix("Z"))
            #expect(throws: Never.self) { try Timestamp(rfc3339: text, field: key) }
        }
    }

    @Test func `a shown job has all attempts, result and timeline as well`() async throws {
        try await session.enqueue(try NewJob(kind: "resize"))
        try await session.work("resize") { _ in .retryable(failure, after: .zero) }
        try await session.work("resize") { _ in .completed(result: JSONText(trusted: Array(#"{"ok":1}"#.utf8))) }
        let result = try await session.run("jobs", "show", "1", "--json")
        let line = try #require(result.lines.first)
        #expect(
            JSONKeyOrder.keys(of: line) == Self.listed + [
                "reason", "lease", "crashes", "timeout", "errors", "result", "timeline", "cancel_requested", "progress",
                "expires_at",
                "expired", "usage",
            ])
        #expect(line.contains(#""result":{"ok":1}"#))
        let object = try #require(try result.objects().first)
        let errors = try #require(object["errors"] as? [[String: Any]])
        #expect(errors.count == 1)
        #expect(errors[0]["detail"] as? String == "line one\nline two")
        let timeline = try #require(object["timeline"] as? [[String: Any]])
        #expect(
            timeline.compactMap { $0["event"] as? String } == [
                "enqueued", "started", "attempt_failed", "started", "completed",
            ])
    }

    @Test func `text for a person holds what matters and no escape from a job`() async throws {
        let evil = JobError(type: "exit", message: "bad \u{1B}[2Jscreen", detail: "tail\u{7}\nmore")
        try await session.enqueue(try NewJob(kind: "resize"))
        try await session.work("resize") { _ in .failed(evil, .discarded) }
        for result in [
            try await session.run("jobs", "list"), try await session.run("jobs", "list", width: 60),
            try await session.run("jobs", "show", "1"), try await session.run("failed"),
        ] {
            #expect(result.status == 0)
            #expect(result.output.contains("resize"))
            #expect(!result.output.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" })
        }
    }

    @Test func `a page shows the end of a trace, each error once and nothing twice`() async throws {
        let detail = (1...30).map { "line \($0)" }.joined(separator: "\n") + "\n\nthe end\n"
        let error = JobError(type: "exit", message: "exited with status 3: the end", detail: detail)
        try await session.enqueue(try NewJob(kind: "k"), try NewJob(kind: "k", start: .after(.seconds(3_600))))
        try await session.work("k") { _ in .retryable(error, after: .zero) }
        try await session.work("k") { _ in
            .failed(JobError(type: "exit", message: "exited with status 3: alone", detail: "alone\n"), .exhausted)
        }
        let page = try await session.run("jobs", "show", "1").output
        #expect(page.contains("    exit: exited with status 3\n    … 12 lines above; --json shows all\n    line 13\n"))
        #expect(page.contains("    line 30\n\n    the end\n\n"))
        #expect(page.contains("    exit: exited with status 3: alone\n\n"))
        #expect(page.components(separatedBy: "the end").count == 2)
        #expect(page.components(separatedBy: "alone").count == 2)
        #expect(!page.contains(" \n"))
        #expect(page.contains("attempt failed  attempt 1 on tester:1\n"))
        #expect(page.contains("failed          no attempts left\n"))
        // When the second attempt was due is not kept, so no due of it is made up.
        #expect(!page.contains("due"))
        #expect(try await session.run("jobs", "show", "2").output.contains("  due\n"))
        #expect(try await session.run("jobs", "show", "1", "--json").output.contains("line 1\\n"))
    }

    @Test func `long args are cut for a person, and whole in JSON`() async throws {
        let text = String(repeating: "x", count: 500_000)
        try await session.enqueue(try NewJob(kind: "k", args: try JSONText(validating: "\"\(text)\"")))
        let listed = try await session.run("jobs", "list").output
        #expect(listed.split(separator: "\n").allSatisfy { $0.count < 300 })
        let shown = try await session.run("jobs", "show", "1").output
        #expect(shown.contains(" … 500 002 bytes; --json shows all\n") && shown.count < 4_000)
        #expect(try await session.run("jobs", "list", "--json").output.contains(text))
        #expect(try await session.run("jobs", "show", "1", "--json").output.contains(text))
    }

    @Test func `a listing that stops at its limit says how to go on`() async throws {
        try await session.enqueue(try NewJob(kind: "k"), try NewJob(kind: "k"), try NewJob(kind: "k"))
        for format in [[], ["--json"]] {
            let first = try await session.run(["jobs", "list", "--limit", "2"] + format)
            #expect(first.errors == "more: --after 2\n")
            #expect(try await session.run(["jobs", "list", "--limit", "2", "--after", "2"] + format).errors == "")
        }
    }

    @Test func `pages follow each other without gap or repetition`() async throws {
        try await session.withStore { store in
            _ = try await store.enqueue(try (0..<25).map { _ throws(InvalidInput) in try NewJob(kind: "k") })
        }
        var seen: [Int] = []
        var after: [String] = []
        repeat {
            let page = try await session.run(["jobs", "list", "--json", "--limit", "10"] + after).objects()
            seen += page.compactMap { $0["id"] as? Int }
            after = (page.last?["cursor"] as? Int).map { ["--after", String($0)] } ?? []
        } while !after.isEmpty
        #expect(seen == Array((1...25).reversed()))
    }

    @Test func `filters take only what they name`() async throws {
        try await session.enqueue(
            try NewJob(kind: "a", queue: "x"), try NewJob(kind: "b", queue: "x"),
            try NewJob(kind: "a", start: .after(.seconds(60))))
        func ids(_ arguments: String...) async throws -> [Int] {
            try await session.run(["jobs", "list", "--json"] + arguments).objects().compactMap { $0["id"] as? Int }.sorted()
        }
        #expect(try await ids("--kind", "a") == [1, 3])
        #expect(try await ids("--queue", "x") == [1, 2])
        #expect(try await ids("--state", "scheduled") == [3])
        #expect(try await ids("--since", "1h") == [1, 2, 3])
        #expect(try await ids("--since", "2999-01-01T00:00:00Z") == [])
    }

    @Test(arguments: [
        (["jobs", "list", "--state", "faild"], "--state: unknown state \"faild\"; did you mean failed?"),
        (["jobs", "list", "--state", "xyzzy"], "there is scheduled, available"),
        (["jobs", "list", "--limit", "0"], "--limit: 0 is out of range"),
        (["jobs", "list", "--limit", "-3"], "--limit: -3"),
        (["jobs", "list", "--since", "yesterday"], "--since: "), (["jobs", "list", "--after", "x"], "--after: "),
        (["jobs", "show"], "Missing expected argument"), (["jobs", "show", "0"], "ID: \"0\" is not a job id"),
        (["jobs", "show", "abc"], "ID: \"abc\" is not a job id"), (["jobs", "retry"], "no jobs named"),
        (["jobs", "retry", "1", "--state", "failed"], "not both"),
        (["jobs", "shwo", "1"], "did you mean `martlet jobs show`?"),
        (["jobs", "list", "--jsn"], "Did you mean '--json'?"), (["queues", "lst"], "did you mean `martlet queues list`?"),
    ])
    func `a mistake is named`(arguments: [String], message: String) async throws {
        try await session.enqueue(try NewJob(kind: "k"))
        let result = try await session.run(arguments)
        #expect(result.status == 2)
        #expect(result.output == "")
        #expect(result.errors.contains(message), "\(result.errors)")
    }

    @Test(arguments: [
        ["jobs"], ["jobs", "show", "1"], ["failed"], ["queues"], ["workers"], ["stats"], ["doctor"], ["migrate", "status"],
    ])
    func `without a database nothing is created by looking`(arguments: [String]) async throws {
        let result = try await session.run(arguments)
        #expect(result.status == 5)
        #expect(result.output == "")
        #expect(result.errors.contains("no database at \(session.database); `martlet enqueue` creates it"))
        #expect(!FileManager.default.fileExists(atPath: session.database))
    }

    @Test func `a job that is not there is status 3, and those that are there are shown`() async throws {
        try await session.enqueue(try NewJob(kind: "k"))
        let result = try await session.run("jobs", "show", "99", "1", "--json")
        #expect(result.status == 3)
        #expect(result.errors.contains("job 99 not found"))
        #expect(result.lines.count == 1)
    }

    @Test func `what an attempt took is shown, for people and for scripts`() async throws {
        try await session.enqueue(try NewJob(kind: "resize"))
        let usage = Usage(peakMemory: 1_600 << 20, processorTime: .milliseconds(2_500))
        try await session.withStore { store in
            let worker = try await store.register(.example(kinds: ["resize"]))
            let request = ClaimRequest(worker: worker, wants: [.init(kind: "resize", limit: 1)], limit: 1)
            let lease = try await store.claim(request)[0]
            _ = try await store.settle([
                Settlement(
                    lease: lease.id, index: 0, ending: .completed(result: nil), maxAttempts: 25, waited: .zero, ran: .zero,
                    usage: usage)
            ])
        }
        let text = try await session.run("jobs", "show", "1").output
        #expect(text.contains("attempt 1 took 1.5 GiB at most, 2s of processor time\n"))
        let object = try #require(try await session.run("jobs", "show", "1", "--json").objects().first)
        let shown = try #require((object["usage"] as? [[String: Any]])?.first)
        #expect(shown["peak_memory_bytes"] as? Int == 1_600 << 20)
        #expect(shown["processor_seconds"] as? Double == 2.5)
        #expect(shown["blocked_seconds"] is NSNull)
    }

    @Test func `a running job says how far it is`() async throws {
        try await session.enqueue(try NewJob(kind: "resize"))
        try await session.withStore { store in
            let worker = try await store.register(.example(kinds: ["resize"]))
            let request = ClaimRequest(worker: worker, wants: [.init(kind: "resize", limit: 1)], limit: 1)
            let lease = try await store.claim(request)[0]
            _ = try await store.progress([JobProgress(lease: lease.id, index: 0, fraction: 0.429, note: "page \u{1B}[2J3")])
            let listed = try await session.run("jobs", "list", "--state", "running").output
            #expect(listed.contains("42 %: page "))
            #expect(!listed.contains("\u{1B}"))
            #expect(try await session.run("jobs", "show", "1").output.contains("  progress  42 %: page "))
            let object = try #require(try await session.run("jobs", "list", "--json").objects().first)
            #expect((object["progress"] as? [String: Any])?["percent"] as? Int == 42)
        }
    }

    @Test func `a job that was too late says so, and no attempt failed`() async throws {
        try await session.enqueue(try NewJob(kind: "resize", expires: .after(.milliseconds(1))))
        try await session.work("resize") { _ in .expired(late: .seconds(90)) }
        let text = try await session.run("jobs", "show", "1").output
        #expect(text.contains("not run"))
        #expect(text.contains("expired: expired 90 s before a worker came to it; it was not run"))
        #expect(text.contains("too late to be run"))
        #expect(!text.contains("attempt 1 failed") && !text.contains("attempt failed"))
        let object = try #require(try await session.run("jobs", "show", "1", "--json").objects().first)
        #expect(object["reason"] as? String == "expired" && object["expired"] as? Bool == true)
        #expect(object["attempt"] as? Int == 0)
    }

    @Test func `a job that waits past its expiry is told apart, and doctor warns`() async throws {
        try await session.enqueue(
            try NewJob(kind: "resize", expires: .at(Timestamp(microseconds: 1_600_000_000_000_000))),
            try NewJob(kind: "resize", expires: .after(.seconds(3_600))))
        let first = try await session.run("jobs", "show", "1").output
        #expect(first.contains("expires   2020-09-13T12:26:40.000Z, ") && first.contains("too late, it fails"))
        let second = try await session.run("jobs", "show", "2").output
        #expect(second.contains("  expires   ") && !second.contains("too late"))
        let doctor = try await session.run("doctor").output
        #expect(doctor.contains("warning  expired: too late to be run: 1 of resize in default"))
    }
}

/// The keys of an object as they stand in the text.
enum JSONKeyOrder {
    static func keys(of line: String) -> [String] {
        var keys: [String] = []
        var depth = 0
        var text: String?
        var isEscaped = false
        var last = ""
        for character in line {
            if let open = text {
                if isEscaped {
                    isEscaped = false
                } else if character == "\\" {
                    isEscaped = true
                } else if character == "\"" {
                    (last, text) = (open, nil)
                    continue
                }
                text = open + String(character)
                continue
            }
            switch character {
            case "\"": text = ""
            case "{", "[": depth += 1
            case "}", "]": depth -= 1
            case ":": if depth == 1 { keys.append(last) }
            default: break
            }
        }
        return keys
    }
}
