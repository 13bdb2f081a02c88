import MartletCore
import MartletStore
import MartletWorker
import Testing

@testable import MartletApp

extension KindSettings {
    var command: CommandSpec? {
        guard case .command(let command) = work else { return nil }
        return command
    }
}

@Suite struct WorkerFileTests {
    private func parse(_ text: String) throws(InvalidInput) -> WorkerFile {
        try WorkerFile(parsing: Array(text.utf8), file: "martlet.yaml")
    }

    @Test func `the help shows a file that can be read, and names every key`() throws {
        let file = try WorkerFile(parsing: Array(WorkerFile.reference.utf8), file: "help")
        #expect(file.kinds.map(\.kind) == ["resize", "report", "notify"])
        #expect(file.kinds[0].retry == RetryPolicy() && file.kinds[0].timeout == Limits.defaultTimeout)
        let standard = WorkerConfiguration()
        #expect(file.blockingThreads == standard.blockingThreads && file.kinds[0].onBlock == .warn && file.maxMemory != nil)
        #expect(file.concurrency == standard.concurrency && file.lease == standard.lease)
        #expect(file.poll == standard.poll && file.grace == standard.grace && file.retention == standard.retention)
        #expect(file.name != nil && file.queues != nil && file.database == .default)
        #expect(file.kinds[0].concurrency != nil && file.kinds[0].command?.workingDirectory != nil)
    }

    @Test(arguments: ["max_attempts: 3", "retries: 3", "max: 3", "retry: { max_attempts: 3 }", "retry: { retries: 3 }"])
    func `how often a job is tried has one name`(entry: String) {
        let error = #expect(throws: InvalidInput.self) {
            try WorkerFile(parsing: Array("kinds:\n  a:\n    command: [cat]\n    \(entry)\n".utf8), file: "f")
        }
        #expect(error?.reason.contains("retry: { max: 5 }") == true, "\(error?.reason ?? "")")
    }

    @Test func `everything that can be said is understood`() throws {
        let file = try parse(
            """
            database: sqlite:/srv/jobs.db
            name: worker-1
            queues: [images, default]
            concurrency: 8
            lease: 1m
            poll: 250ms
            grace: 2m
            retention: { completed: 1h, failed: 7d }
            kinds:
              resize:
                command: [convert, "-", -resize, 200, yes, "png:-"]
                timeout: 30s
                concurrency: 4
                retry: { max: 5, base: 2s, cap: 1h, jitter: 0.5 }
                environment: [API_TOKEN]
                directory: /srv
              mail:
                command: [send]
                retry: { delays: [1s, 10s, 5m] }
                environment: { MODE: live, LEVEL: 3 }
            """)
        #expect(file.database == .sqlite(path: "/srv/jobs.db"))
        #expect(file.name == "worker-1")
        #expect(file.queues == ["images", "default"])
        #expect(file.concurrency == 8)
        #expect([file.lease, file.poll, file.grace] == [.seconds(60), .milliseconds(250), .seconds(120)])
        #expect(file.retention == RetentionPolicy(completed: .seconds(3_600), failed: .seconds(7 * 86_400)))
        #expect(file.kinds.map(\.kind) == ["resize", "mail"])
        let resize = file.kinds[0]
        #expect(resize.command?.argv == ["convert", "-", "-resize", "200", "yes", "png:-"])
        #expect(resize.command?.passedEnvironment == ["API_TOKEN"])
        #expect(resize.command?.workingDirectory == "/srv")
        #expect(resize.timeout == .seconds(30))
        #expect(resize.concurrency == 4)
        #expect(
            resize.retry
                == RetryPolicy(maxAttempts: 5, backoff: .exponential(base: .seconds(2), cap: .seconds(3_600)), jitter: 0.5))
        let mail = file.kinds[1]
        #expect(mail.command?.environment == ["MODE": "live", "LEVEL": "3"])
        #expect(mail.retry == .delays([.seconds(1), .seconds(10), .seconds(300)]))
        #expect(mail.timeout == Limits.defaultTimeout)
    }

    @Test func `a kind says what its commands may take and who they are`() throws {
        let file = try parse(
            """
            kinds:
              a:
                command: [x]
                limits: { memory: 512MiB, cpu: 1m, files: 1024, processes: 64 }
                user: 0
                nice: 10
              b: { command: [y], limits: { memory: 300MB } }
            """)
        let conditions = try #require(file.kinds[0].command?.conditions)
        #expect(
            conditions.limits == ProcessLimits(memory: 512 << 20, cpu: .seconds(60), files: 1_024, processes: 64))
        #expect(conditions.user == 0 && conditions.group == 0 && conditions.nice == 10)
        #expect(file.kinds[1].command?.conditions == ChildConditions(limits: ProcessLimits(memory: 300_000_000)))
    }

    @Test func `a worker finds the concurrency of a kind where that is wanted`() throws {
        let file = try parse(
            """
            kinds:
              a: { command: [x], concurrency: auto }
              b: { command: [x], concurrency: { auto: { max: 64 } } }
              c: { command: [x], concurrency: { auto: {} } }
              d: { command: [x], concurrency: 3 }
              e: { command: [x] }
              f: { http: { url: "https://example.com" }, concurrency: auto }
            """)
        #expect(file.kinds.map(\.adapts) == [true, true, true, false, false, true])
        #expect(file.kinds.map(\.concurrency) == [nil, 64, nil, 3, nil, nil])
    }

    @Test func `what a worker may take, and what a kind that blocks gets, are understood`() throws {
        let file = try parse(
            """
            max_memory: 1GiB
            blocking_threads: 8
            kinds:
              a: { command: [x], on_block: move }
              b: { http: { url: "https://example.com" }, on_block: warn }
              c: { command: [x] }
            """)
        #expect(file.maxMemory == 1 << 30 && file.blockingThreads == 8)
        #expect(file.kinds.map(\.onBlock) == [.move, .warn, .warn])
        #expect(try parse("kinds: {a: {command: [x]}}").maxMemory == nil)
    }

    struct Mistake: Sendable, CustomTestStringConvertible {
        let yaml: String
        let message: String
        var testDescription: String { message }
    }

    @Test(arguments: [
        Mistake(
            yaml: "kinds:\n  resize:\n    command: [a]\n    timout: 30s\n",
            message: "martlet.yaml:4:5: kinds.resize.timout: unknown key; did you mean timeout?"),
        Mistake(yaml: "kind: {}\n", message: "martlet.yaml:1:1: kind: unknown key; did you mean kinds?"),
        Mistake(
            yaml: "kinds:\n  a:\n    command: [a]\n  a:\n    command: [b]\n",
            message: "the same key stands twice in one place: \"a\""),
        Mistake(yaml: "kinds: {a: {command: []}}", message: "kinds.a.command: is empty"),
        Mistake(
            yaml: "kinds: {a: {command: convert}}", message: "martlet.yaml:1:22: kinds.a.command: expected a list such as"),
        Mistake(yaml: "kinds: {a: {command: [~]}}", message: "kinds.a.command[0]: expected text, found nothing"),
        Mistake(yaml: "kinds: {a: {command: [[b]]}}", message: "kinds.a.command[0]: expected text, found a list"),
        Mistake(yaml: "kinds: {a: {timeout: 3s}}", message: "kinds.a: says no command and no http"),
        Mistake(
            yaml: "kinds: {a: {command: [x], limits: {memory: 12}}}",
            message: "limits.memory: expected a size such as 512MiB"),
        Mistake(yaml: "kinds: {a: {command: [x], limits: {memory: 1KiB}}}", message: "limits.memory: 1KiB is out of range"),
        Mistake(yaml: "kinds: {a: {command: [x], limits: {ram: 1GiB}}}", message: "kinds.a.limits.ram: unknown key"),
        Mistake(yaml: "kinds: {a: {command: [x], limits: {cpu: 1ms}}}", message: "kinds.a.limits.cpu: 1ms is out of range"),
        Mistake(yaml: "kinds: {a: {command: [x], nice: -1}}", message: "kinds.a.nice: -1 is out of range"),
        Mistake(yaml: "kinds: {a: {command: [x], user: no-such-user}}", message: "kinds.a.user: there is no user"),
        Mistake(yaml: "kinds: {a: {command: [x], group: no-such-group}}", message: "kinds.a.group: there is no group"),
        Mistake(yaml: "kinds: {}", message: "kinds: declares no kind"),
        Mistake(yaml: "kinds: [a]", message: "kinds: expected keys with values, found a list"),
        Mistake(yaml: "kinds: {a b: {command: [x]}}", message: "is not a name"),
        Mistake(yaml: "concurrency: 3", message: "declares no kinds"),
        Mistake(yaml: "", message: "is empty; for example"),
        Mistake(yaml: "concurrency: 0", message: "martlet.yaml:1:14: concurrency: 0 is out of range"),
        Mistake(yaml: "concurrency: \"3\"", message: "concurrency: expected a whole number, found \"3\""),
        Mistake(yaml: "concurrency: 3.5", message: "concurrency: expected a whole number"),
        Mistake(yaml: "max_memory: 1000", message: "martlet.yaml:1:13: max_memory: expected a size such as 512MiB"),
        Mistake(yaml: "max_memory: 8MiB", message: "max_memory: 8MiB is out of range; 16MiB to 1PiB"),
        Mistake(yaml: "max_memory: [1GiB]", message: "max_memory: expected text, found a list"),
        Mistake(yaml: "max_memory: 99999999999999999999GiB", message: "max_memory: expected a size"),
        Mistake(yaml: "blocking_threads: 0", message: "martlet.yaml:1:19: blocking_threads: 0 is out of range; 1 to 4096"),
        Mistake(yaml: "blocking_threads: many", message: "blocking_threads: expected a whole number"),
        Mistake(yaml: "concurrency: auto", message: "concurrency: expected a whole number, found \"auto\""),
        Mistake(
            yaml: "kinds: {a: {command: [x], concurrency: automatic}}",
            message: "kinds.a.concurrency: expected a whole number or auto, found \"automatic\""),
        Mistake(yaml: "kinds: {a: {command: [x], concurrency: 0}}", message: "kinds.a.concurrency: 0 is out of range"),
        Mistake(
            yaml: "kinds: {a: {command: [x], concurrency: {}}}", message: "kinds.a.concurrency: expected a number, auto or"),
        Mistake(
            yaml: "kinds: {a: {command: [x], concurrency: [auto]}}",
            message: "kinds.a.concurrency: expected a number, auto or"),
        Mistake(
            yaml: "kinds: {a: {command: [x], concurrency: {auto: {mx: 3}}}}",
            message: "kinds.a.concurrency.auto.mx: unknown key; did you mean max?"),
        Mistake(
            yaml: "kinds: {a: {command: [x], concurrency: {auto: {max: 0}}}}",
            message: "kinds.a.concurrency.auto.max: 0 is out of range"),
        Mistake(
            yaml: "kinds: {a: {command: [x], concurrency: {auto: 5}}}",
            message: "kinds.a.concurrency.auto: expected keys with values"),
        Mistake(
            yaml: "kinds: {a: {command: [x], on_block: mov}}",
            message: "martlet.yaml:1:37: kinds.a.on_block: \"mov\" is unknown; there is warn, move"),
        Mistake(yaml: "kinds: {a: {command: [x], on_block: []}}", message: "kinds.a.on_block: expected text, found a list"),
        Mistake(yaml: "lease: 30", message: "martlet.yaml:1:8: lease: "),
        Mistake(yaml: "lease: -3s", message: "lease: "),
        Mistake(yaml: "lease: [3s]", message: "lease: expected a duration such as 30s, found a list"),
        Mistake(yaml: "lease: 10d", message: "lease: 10d is out of range"),
        Mistake(yaml: "queues: []", message: "queues: is an empty list"),
        Mistake(yaml: "queues: [a, 'b c']", message: "martlet.yaml:1:13: queues[1]: "),
        Mistake(
            yaml: "database: mysql://u:secret@h/d", message: "database: unknown scheme mysql:"),
        Mistake(yaml: "retention: {complete: 1h}", message: "retention.complete: unknown key; did you mean completed?"),
        Mistake(yaml: "kinds: {a: {command: [x], retry: {max: 0}}}", message: "kinds.a.retry.max: 0 is out of range"),
        Mistake(yaml: "kinds: {a: {command: [x], retry: {delays: []}}}", message: "kinds.a.retry.delays: is an empty list"),
        Mistake(
            yaml: "kinds: {a: {command: [x], retry: {delays: [1s], base: 2s}}}",
            message: "kinds.a.retry.base: goes without delays"),
        Mistake(yaml: "kinds: {a: {command: [x], retry: {base: 2h, cap: 1h}}}", message: "base is longer than cap"),
        Mistake(yaml: "kinds: {a: {command: [x], retry: {jitter: 2}}}", message: "kinds.a.retry.jitter: 2 is out of range"),
        Mistake(
            yaml: "kinds: {a: {command: [x], retry: {policy: liner, base: 1s}}}",
            message: "kinds.a.retry.policy: is no policy; did you mean linear?"),
        Mistake(yaml: "kinds: {a: {command: [x], retry: {policy: linear}}}", message: "policy: linear needs base"),
        Mistake(yaml: "kinds: {a: {command: [x], retry: {policy: fixed}}}", message: "policy: fixed needs base"),
        Mistake(
            yaml: "kinds: {a: {command: [x], retry: {policy: fixed, base: 1s, cap: 2s}}}",
            message: "retry.cap: goes without policy: fixed"),
        Mistake(yaml: "kinds: {a: {command: [x], retry: {policy: list}}}", message: "policy: list needs delays"),
        Mistake(
            yaml: "kinds: {a: {command: [x], retry: {policy: linear, delays: [1s]}}}",
            message: "retry.delays: goes with policy: list alone"),
        Mistake(
            yaml: "kinds: {a: {command: [x], retry: 5}}", message: "kinds.a.retry: expected keys with values, found \"5\""),
        Mistake(yaml: "kinds: {a: {command: [x], environment: [A=B]}}", message: "kinds.a.environment: "),
        Mistake(yaml: "kinds: {a: {command: [x], environment: PATH}}", message: "expected a list of names to pass on"),
        Mistake(yaml: "kinds: {a: {command: [\"x\\0\"]}}", message: "holds a NUL"),
        Mistake(yaml: "kinds: {a: {command: [x}}", message: "martlet.yaml:1:"),
        Mistake(yaml: "a: 1\n---\nb: 2\n", message: "another document"),
        Mistake(yaml: "kinds: *k", message: "undefined alias"),
        Mistake(yaml: "kinds: " + String(repeating: "[", count: 5_000), message: "nesting level"),
    ])
    func `a mistake is named with its place`(mistake: Mistake) {
        let error = #expect(throws: InvalidInput.self) { try parse(mistake.yaml) }
        #expect(error?.description.contains(mistake.message) == true, "\(error?.description ?? "nothing")")
        #expect(error?.description.hasPrefix("martlet.yaml") == true)
        #expect(error?.description.contains("secret") == false)
    }

    @Test func `text that is not UTF-8 is refused`() {
        let error = #expect(throws: InvalidInput.self) {
            try WorkerFile(parsing: [0x6B, 0x3A, 0x20, 0xFF], file: "martlet.yaml")
        }
        #expect(error?.reason == "is not UTF-8 text")
    }

    /// Ten levels of ten aliases each: ten thousand million nodes if somebody walked them.
    @Test func `a bomb of aliases is refused without being walked`() {
        var yaml = "a0: &a0 [x]\n"
        for level in 1...10 {
            yaml += "a\(level): &a\(level) [\(Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ","))]\n"
        }
        let error = #expect(throws: InvalidInput.self) { try parse(yaml + "kinds: {a: {command: *a10}}\n") }
        #expect(error?.description.contains("a0: unknown key") == true)
        let walked = #expect(throws: InvalidInput.self) {
            try parse("kinds: {a: {command: &b [&a [x, x], *a, *a], timeout: *b}}")
        }
        #expect(walked?.description.contains("expected text, found a list") == true)
    }

    @Test(arguments: [
        ("{ policy: linear, base: 10s, max: 5 }", RetryPolicy.linear(step: .seconds(10), maxAttempts: 5)),
        ("{ policy: linear, base: 10s, cap: 1m, jitter: 0 }", .linear(step: .seconds(10), cap: .seconds(60), jitter: 0)),
        ("{ policy: fixed, base: 30s }", .fixed(.seconds(30))),
        ("{ policy: exponential, base: 1s, cap: 1h }", .exponential(base: .seconds(1), cap: .seconds(3_600))),
        ("{ policy: list, delays: [1s, 2s] }", .delays([.seconds(1), .seconds(2)])),
        ("{ max: 3 }", RetryPolicy(maxAttempts: 3)),
    ])
    func `retries follow the policy that is named`(yaml: String, policy: RetryPolicy) throws {
        #expect(try parse("kinds: {a: {command: [x], retry: \(yaml)}}").kinds.map(\.retry) == [policy])
    }

    @Test func `names of secrets come in addition`() throws {
        #expect(try parse("redact: [card_number]\nkinds: {a: {command: [x]}}").redact == ["card_number"])
    }

    @Test func `aliases may share what several kinds have in common`() throws {
        let file = try parse(
            """
            kinds:
              a: { command: [x], retry: &standard { max: 3 } }
              b: { command: [y], retry: *standard }
            """)
        #expect(file.kinds.map(\.retry.maxAttempts) == [3, 3])
    }
}
