import MartletCore
import MartletStore
import Testing

@testable import MartletApp

@Suite struct OverviewTests {
    let session: Session

    init() throws { session = try Session() }

    @Test func `the keys of every overview and their order are a contract`() async throws {
        try await session.enqueue(try NewJob(kind: "resize"))
        try await session.withStore { _ = try await $0.register(.example(kinds: ["resize"])) }
        func keys(_ arguments: String...) async throws -> [String] {
            let result = try await session.run(arguments + ["--json"])
            #expect(result.status == 0)
            #expect(result.errors == "")
            return JSONKeyOrder.keys(of: try #require(result.lines.first))
        }
        #expect(
            try await keys("queues", "list") == [
                "queue", "kind", "workers", "served", "counts", "oldest_available_seconds", "paused",
            ])
        #expect(
            try await keys("workers") == [
                "id", "name", "host", "pid", "version", "alive", "running", "concurrency", "kinds", "queues", "started_at",
                "heartbeat_at", "report",
            ])
        #expect(try await keys("stats") == ["counts", "oldest_available_seconds"])
        #expect(try await keys("doctor") == ["check", "level", "message"])
        #expect(try await keys("migrate", "status") == ["current", "latest", "pending"])
    }

    @Test func `counts name every state`() async throws {
        try await session.enqueue(try NewJob(kind: "a"), try NewJob(kind: "a", start: .after(.seconds(60))))
        let line = try #require(try await session.run("stats", "--json").lines.first)
        #expect(
            line.hasPrefix(
                #"{"counts":{"scheduled":1,"available":1,"running":0,"retryable":0,"completed":0,"failed":0,"cancelled":0},"#
            ))
    }

    @Test func `for what a killed bench left doctor names the way out, which is no worker`() async throws {
        try await session.enqueue(try NewJob(kind: "martlet-bench", queue: "martlet-bench-a1-1"))
        let output = try await session.run("doctor").output
        #expect(output.contains("martlet bench --clean removes them"))
        #expect(!output.contains("start a worker"))
    }

    @Test func `a kind that nobody serves waits, and queues and doctor say so`() async throws {
        try await session.enqueue(try NewJob(kind: "unheard-of", queue: "images"))
        let said = "1 job of kind unheard-of waits in queue images, and no live worker serves that"
        let queues = try await session.run("queues")
        #expect(queues.status == 0)
        #expect(queues.output.contains("none"))
        #expect(queues.errors.contains(said))
        #expect(try await session.run("queues", "--json").output.contains(#""workers":0,"served":false"#))
        let doctor = try await session.run("doctor")
        #expect(doctor.status == 0)
        #expect(doctor.output.contains("warning  service: \(said)"))
        #expect(try await session.counts()[.available] == 1)

        try await session.withStore { store in
            _ = try await store.register(.example(kinds: ["unheard-of"]))
            #expect(try await session.run("queues").errors == "")
            #expect(
                try await session.run("doctor").output.contains("ok       service: every kind that jobs wait for is served"))
        }
        // Its process is gone, and so is it.
        #expect(try await session.run("queues").errors.contains(said))
    }

    @Test func `an empty database is no mistake`() async throws {
        #expect(try await session.run("migrate", "up").output.contains(": up to date"))
        for (command, message) in [
            ("jobs", "no jobs"), ("failed", "no failed jobs"), ("queues", "no queues"), ("workers", "no workers"),
        ] {
            let result = try await session.run(command)
            #expect(result.status == 0)
            #expect(result.output == "")
            #expect(result.errors.contains(message))
            let json = try await session.run(command, "--json")
            #expect(json.status == 0)
            #expect(json.output + json.errors == "")
        }
    }

    @Test func `doctor says what failed of late, and strictly counts warnings`() async throws {
        try await session.enqueue(try NewJob(kind: "a"), try NewJob(kind: "a"))
        #expect(try await session.run("doctor").output.contains("ok       failures: no job failed in the last hour"))
        try await session.work("a") { _ in .failed(JobError(type: "exit", message: "status 1"), .exhausted) }
        let doctor = try await session.run("doctor")
        #expect(doctor.status == 0)
        #expect(doctor.output.contains("note     failures: 2 jobs failed in the last hour; see martlet failed"))
        #expect(try await session.run("doctor", "--strict").status == 0)
        try await session.enqueue(try NewJob(kind: "nobodys"))
        #expect(try await session.run("doctor").status == 0)
        #expect(try await session.run("doctor", "--strict").status == 1)
    }

    @Test func `failures can be narrowed down`() async throws {
        try await session.enqueue(try NewJob(kind: "a"), try NewJob(kind: "b"))
        for kind in ["a", "b"] {
            try await session.work(kind) { _ in .failed(JobError(type: "exit", message: "status 1"), .exhausted) }
        }
        func kinds(_ arguments: String...) async throws -> [String] {
            try await session.run(["failed", "--json"] + arguments).objects().compactMap { $0["kind"] as? String }
        }
        #expect(try await kinds() == ["b", "a"])
        #expect(try await kinds("--kind", "a") == ["a"])
        #expect(try await kinds("--limit", "1") == ["b"])
        #expect(try await kinds("--since", "1h", "--limit", "1") == ["b"])
        #expect(try await kinds("--since", "2999-01-01T00:00:00Z") == [])
        #expect(try await session.run("failed", "--kind", "a b").status == 2)
    }

    @Test(arguments: [
        ["enqueue"], ["worker"], ["jobs"], ["jobs", "list"], ["jobs", "show"], ["jobs", "retry"], ["jobs", "cancel"],
        ["jobs", "discard"], ["failed"], ["queues"], ["queues", "list"], ["workers"], ["stats"], ["doctor"], ["migrate"],
        ["migrate", "up"], ["migrate", "status"], ["repair"], ["repair", "rebase"], [],
    ])
    func `every help shows examples, fits 80 columns and breaks lines only where they are full`(
        command: [String]
    ) async throws {
        let help = try await session.run(command + ["--help"])
        #expect(help.status == 0)
        #expect(help.output.contains("EXAMPLES:"))
        #expect(help.output.contains("  martlet \(command.joined(separator: " "))"))
        let lines = help.output.split(separator: "\n", omittingEmptySubsequences: false)
        for (line, next) in zip(lines, lines.dropFirst()) {
            #expect(line.count <= 80, "\(line)")
            // A line of prose that another one goes on could not have taken its first word.
            guard line.first?.isLetter == true, let word = next.split(separator: " ").first,
                next.first?.isWhitespace == false,
                let last = line.last, last.isLetter || last == ","
            else { continue }
            #expect(line.count + 1 + word.count >= 80, "\(line)\n\(next)")
        }
    }

    @Test func `help may stand behind a group of commands as well`() async throws {
        #expect(try await session.run("jobs", "help").output == session.run("help", "jobs").output)
        #expect(try await session.run("jobs", "help", "retry").output == session.run("jobs", "retry", "--help").output)
    }

    @Test func `help goes to standard output and names the exit statuses`() async throws {
        for arguments in [["--help"], ["help"], []] {
            let result = try await session.run(arguments)
            #expect(result.status == 0)
            #expect(result.errors == "")
            for status in ExitStatus.allCases { #expect(result.output.contains("\n  \(status.rawValue)  ")) }
            #expect(result.output.contains("EXAMPLES:"))
        }
        #expect(try await session.run("--version").output == Version.current + "\n")
        #expect(try await session.run("help", "jobs", "list").output.contains("--state"))
    }

    @Test func `what a worker says of itself is whole in JSON, and a line for people where something is to be said`()
        async throws
    {
        try await session.withStore { store in
            let worker = try await store.register(.example(kinds: ["resize", "mail"]))
            let quiet = WorkerReport(
                kinds: ["resize": .init(concurrency: 4)], lagMs: 2, highestLagMs: 1_200, memoryBytes: 1 << 20,
                highestMemoryBytes: 3 << 20)
            _ = try store.heartbeat(worker, report: quiet.json)
            let plain = try await session.run("workers")
            #expect(plain.lines.count == 2)
            for text in ["MEMORY", "1 MiB (3 MiB)", "LAG", "2ms (1s)", "resize (4), mail"] {
                #expect(plain.output.contains(text), "\(plain.output)")
            }
            let report = WorkerReport(
                kinds: [
                    "resize": .init(concurrency: 4, reason: "errors rose"),
                    "mail": .init(blocked: .init(job: 7, ms: 21_000), moved: true),
                ], lagMs: 2_500, lostThreads: .init(threads: 3, of: 66), lostBlockingThreads: .init(threads: 64, of: 64))
            _ = try store.heartbeat(worker, report: report.json)
            let text = try await session.run("workers")
            #expect(
                text.lines.dropFirst(2) == [
                    "tester:1: mail: job 7 held a thread of other jobs for 21s",
                    "tester:1: mail: runs on threads of its own now, because it blocks",
                    "tester:1: resize: 4 at a time, errors rose", "tester:1: a task waits 2s for a thread",
                    "tester:1: 3 of 66 threads for coroutines are held by jobs that ignored their cancellation",
                    "tester:1: 64 of 64 threads for handlers that block are held by jobs that ignored their cancellation; nothing runs there until the worker is started again",
                ])
            let object = try #require(try await session.run("workers", "--json").objects().first)
            let kinds = (object["report"] as? [String: Any])?["kinds"] as? [String: Any]
            #expect((kinds?["resize"] as? [String: Any])?["reason"] as? String == "errors rose")
            #expect((object["report"] as? [String: Any])?["lag_ms"] as? Int == 2_500)
            try await store.deregister(worker)
            #expect(
                try await session.run("workers").lines.allSatisfy { !$0.contains("a task waits") },
                "what a dead worker said is of no use any more")
        }
    }

    @Test func `a paused queue says so wherever somebody looks, and is resumed`() async throws {
        let session = try Session()
        try await session.enqueue(try NewJob(kind: "k", queue: "images"), try NewJob(kind: "k"))
        #expect(try await session.run("queues", "pause", "images").output == "paused images\n")
        #expect(try await session.run("queues", "pause", "images").output == "images was paused already\n")
        #expect(try await session.run("queues").output.contains("images (paused)"))
        let listed = try await session.run("queues", "--json").objects()
        #expect(listed.map { $0["paused"] as? Bool } == [false, true])
        #expect(
            try await session.run("doctor").output.contains(
                "queue images is paused, and 1 job waits in it; martlet queues resume images"))
        #expect(
            try await session.run("queues", "resume", "images", "other", "--json").output == """
                {"queue":"images","paused":false,"changed":true}
                {"queue":"other","paused":false,"changed":false}

                """)
        #expect(try await !session.run("queues").output.contains("paused"))
        #expect(try await session.run("queues", "pause", "a b").status == 2)
        #expect(try await session.run("queues", "pause").status == 2)
    }
}
