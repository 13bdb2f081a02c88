import Foundation
import Glibc
import Testing

@testable import MartletApp

/// The daemon as people run it: real processes, real commands, real signals.
@Suite struct WorkerProgramTests {
    let program: Program

    init() throws { program = try Program() }

    private func configure(_ yaml: String) throws { try program.directory.write("martlet.yaml", yaml) }

    private func state(of id: Int) async throws -> [String: Any] {
        let result = try await program.run("jobs", "show", "\(id)", "--json")
        let value = try JSONSerialization.jsonObject(with: Data(result.output.utf8))
        return try #require(value as? [String: Any])
    }

    @Test func `a job goes through a command and comes back with its result`() async throws {
        try configure(
            """
            kinds:
              count: { command: [wc, -c] }
              env: { command: [sh, -c, 'cat >/dev/null; echo "{\\"id\\":$MARTLET_JOB_ID,\\"kind\\":\\"$MARTLET_KIND\\",\\"secret\\":\\"$SECRET\\"}"'] }
            """)
        #expect(try await program.run("enqueue", "count", #"{"a":1}"#).output == "1\n")
        #expect(try await program.run("enqueue", "env").output == "2\n")
        let worker = try await program.run(["worker", "--drain"], environment: ["SECRET": "hidden"])
        #expect(worker.status == 0, "\(worker.errors)")
        #expect(worker.output == "")
        let count = try await state(of: 1)
        #expect(count["state"] as? String == "completed")
        #expect(
            count["result"] as? Int == 7
                || (count["result"] as? String)?.trimmingCharacters(in: .whitespacesAndNewlines) == "7")
        let env = try #require(try await state(of: 2)["result"] as? [String: Any])
        #expect(env["id"] as? Int == 2)
        #expect(env["kind"] as? String == "env")
        #expect(env["secret"] as? String == "")
    }

    @Test func `a result that was cut says so to scripts and people`() async throws {
        try configure(
            """
            kinds:
              large: { command: [sh, -c, 'yes | head -c 70000'] }
              small: { command: [echo, a] }
            """)
        _ = try await program.run("enqueue", "large")
        _ = try await program.run("enqueue", "small")
        #expect(try await program.run("worker", "--drain").status == 0)
        #expect(try await state(of: 1)["result_truncated"] as? Bool == true)
        #expect(try await program.run("jobs", "show", "1").output.contains("(cut when it was stored)"))
        #expect(try await state(of: 2)["result_truncated"] as? Bool == false)
    }

    @Test func `a failure is kept with its status and what the command said, and the log has no args`() async throws {
        try configure("kinds:\n  bad: { command: [sh, -c, 'echo broken pipe dream >&2; exit 3'], retry: { max: 1 } }\n")
        _ = try await program.run("enqueue", "bad", #"{"password":"hunter2"}"#)
        let worker = try await program.run("worker", "--drain")
        #expect(worker.status == 0)
        #expect(!worker.errors.contains("hunter2"))
        let logged = try worker.errors.split(separator: "\n").map { line in
            try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any], "\(line)")
        }
        let failed = try #require(logged.first { $0["message"] as? String == "job failed" })
        #expect(failed["level"] as? String == "error")
        #expect(failed["kind"] as? String == "bad")
        #expect(failed["job"] as? Int == 1)
        #expect(failed["attempt"] as? Int == 1)
        #expect((failed["error"] as? String)?.contains("status 3") == true)
        let job = try await state(of: 1)
        #expect(job["state"] as? String == "failed")
        let errors = try #require(job["errors"] as? [[String: Any]])
        #expect((errors.first?["detail"] as? String)?.contains("broken pipe dream") == true)
    }

    @Test func `a job goes through an HTTP call, and what went wrong there is kept`() async throws {
        // The worker's own machine is the one place where surely nothing listens.
        try configure(
            """
            kinds:
              open: { http: { url: "http://127.0.0.1:1/{id}", allow_private: true }, retry: { max: 1 } }
              closed: { http: { url: "http://localhost:1/" }, retry: { max: 1 } }
            """)
        _ = try await program.run("enqueue", "open", #"{"id":1}"#)
        _ = try await program.run("enqueue", "open", "{}")
        _ = try await program.run("enqueue", "closed")
        let worker = try await program.run("worker", "--drain")
        #expect(worker.status == 0, "\(worker.errors)")
        for (id, message) in [
            (1, "cannot connect to 127.0.0.1: 127.0.0.1 port 1: Connection refused"),
            (2, "args do not fit the address: `id` is missing"), (3, "allow_private: true permits such addresses"),
        ] {
            let errors = try #require(try await state(of: id)["errors"] as? [[String: Any]])
            let said = errors.first?["message"] as? String
            #expect(said?.contains(message) == true, "\(said ?? "nothing")")
        }
    }

    @Test func `failures change the exit status only where that was asked for, and args are logged only then`() async throws
    {
        try configure("kinds:\n  bad: { command: ['false'], retry: { max: 1 } }\n")
        _ = try await program.run("enqueue", "bad", #"{"n":"seen"}"#)
        let worker = try await program.run("worker", "--drain", "--fail-on-error", "--log-args", "--log-format", "text")
        #expect(worker.status == 1)
        #expect(worker.errors.contains("seen"))
        #expect(!worker.errors.contains("\u{1B}"))
    }

    @Test(arguments: [
        (
            "{ command: [no-such-program] }",
            "martlet.yaml: kinds.a.command: no directory of PATH has the program no-such-program"
        ),
        ("{ command: [./run] }", "kinds.a.command: there is no executable file ./run"),
        ("{ command: [cat], directory: /no/such/place }", "kinds.a.directory: there is no directory /no/such/place"),
        ("{ command: [cat], environment: { PATH: /nowhere } }", "no directory of PATH has the program cat"),
        (
            "{ http: { url: 'https://example.com', headers: { Authorization: { env: NO_SUCH_TOKEN } } } }",
            "martlet.yaml: kinds.a.http.headers.Authorization: the environment variable NO_SUCH_TOKEN is not set"
        ),
        (
            "{ http: { url: { file: /no/such/secret } } }",
            "martlet.yaml: kinds.a.http.url: cannot read /no/such/secret: No such file or directory"
        ),
        (
            "{ http: { url: 'https://example.com', certificates: /no/such.pem } }",
            "martlet.yaml: kinds.a.http.certificates: cannot read certificates in /no/such.pem"
        ),
    ])
    func `a kind that cannot be run stops the worker before its jobs burn their attempts`(
        kind: String, message: String
    ) async throws {
        try configure("kinds:\n  good: { command: [cat] }\n  a: \(kind)\n")
        _ = try await program.run("enqueue", "a")
        let worker = try await program.run("worker", "--drain")
        #expect(worker.status == 2)
        #expect(worker.errors.contains(message), "\(worker.errors)")
        #expect(try await state(of: 1)["attempt"] as? Int == 0)
    }

    @Test func `a variable that is to be passed on and not set is a warning`() async throws {
        try configure("kinds:\n  a: { command: [./run], directory: ., environment: [NOT_SET, SET] }\n")
        let script = try program.directory.write("run", "#!/bin/sh\nexit 0\n")
        #expect(chmod(script, 0o755) == 0)
        let worker = try await program.run(
            ["worker", "--drain", "--log-format", "text"], environment: ["SET": "1"])
        #expect(worker.status == 0)
        #expect(worker.errors.contains("environment variable is not set kind=a variable=NOT_SET"))
        #expect(!worker.errors.contains("variable=SET"))
    }

    @Test(arguments: [
        (["worker"], "no martlet.yaml in this directory"),
        (["worker", "--config", "nowhere.yaml"], "--config: cannot read nowhere.yaml"),
        (["worker", "--config", "bad.yaml"], "bad.yaml:3:5: kinds.a.timout: unknown key; did you mean timeout?"),
        (["worker", "--config", "good.yaml", "--concurrency", "0"], "--concurrency: 0 is out of range"),
        (["worker", "--config", "good.yaml", "--grace", "-1s"], "--grace: \"-1s\" is negative"),
        (["worker", "--config", "good.yaml", "--lease", "1ms"], "--lease: 1ms is out of range"),
        (["worker", "--config", "good.yaml", "--queues", "a,,b"], "--queues: is empty"),
        (["worker", "--config", "good.yaml", "--log-level", "warn"], "--log-level: \"warn\" is unknown"),
        (["worker", "--config", "good.yaml", "--log-format", "jsn"], "did you mean json?"),
        (["worker", "--config", "good.yaml", "--database", "redis://u:secret@h"], "--database: unknown scheme redis:"),
        (["worker", "--config", "postgres.yaml"], "postgres.yaml:1:11: database: postgres: is not a URL"),
    ])
    func `a mistake stops the worker before it touches a database`(arguments: [String], message: String) async throws {
        try program.directory.write("good.yaml", "kinds: {a: {command: [cat]}}\n")
        try program.directory.write("bad.yaml", "kinds:\n  a:\n    timout: 3s\n    command: [cat]\n")
        try program.directory.write("postgres.yaml", "database: 'postgres://u:secret@[h/d'\nkinds: {a: {command: [cat]}}\n")
        let result = try await program.run(arguments)
        #expect(result.status == 2)
        #expect(result.errors.contains(message), "\(result.errors)")
        #expect(!result.errors.contains("secret"))
        #expect(!FileManager.default.fileExists(atPath: program.directory.path + "/martlet.db"))
    }

    @Test func `options win over the file`() async throws {
        try configure("database: sqlite:from-file.db\nname: from-file\nkinds: {a: {command: [cat]}}\n")
        let first = try await program.run("worker", "--drain", "--log-format", "text")
        #expect(first.errors.contains("worker=from-file"))
        #expect(FileManager.default.fileExists(atPath: program.directory.path + "/from-file.db"))
        let second = try await program.run(
            "worker", "--drain", "--log-format", "text", "--name", "from-option", "--database", "from-option.db")
        #expect(second.errors.contains("worker=from-option"))
        #expect(FileManager.default.fileExists(atPath: program.directory.path + "/from-option.db"))
    }

    @Test func `a drain says what it leaves for later`() async throws {
        try configure("kinds:\n  bad: { command: ['false'], retry: { policy: fixed, base: 1h, jitter: 0 } }\n")
        _ = try await program.run("enqueue", "bad")
        _ = try await program.run("enqueue", "bad", "--in", "2h")
        let worker = try await program.run("worker", "--drain")
        let line = try #require(worker.errors.split(separator: "\n").first { $0.contains("jobs wait for a later time") })
        let said = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        #expect(said["jobs"] as? Int == 2)
        let next = try #require(said["next_in_ms"] as? Int)
        #expect(next > 3_000_000 && next <= 3_600_000)
    }

    @Test func `a drain says what waits in paused queues, and how it is handed out again`() async throws {
        try configure("kinds:\n  good: { command: ['true'] }\n")
        for queue in ["b", "a", "a"] { _ = try await program.run("enqueue", "good", "--queue", queue) }
        _ = try await program.run("queues", "pause", "a", "b")
        let worker = try await program.run("worker", "--drain")
        let line = try #require(worker.errors.split(separator: "\n").first { $0.contains("paused queues") })
        let said = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        #expect(said["jobs"] as? Int == 3)
        #expect(said["queues"] as? String == "a b")
        let resume = try #require(said["to_resume"] as? String)
        let text = try await program.run("worker", "--drain", "--log-format", "text").errors
        #expect(text.contains("jobs wait in paused queues") && text.contains(resume))
        #expect(try await program.run(resume.split(separator: " ").dropFirst().map(String.init)).status == 0)
        let again = try await program.run("worker", "--drain").errors
        #expect(!again.contains("paused") && again.contains("nothing is left to do"))
        #expect(again.split(separator: "\n").count { $0.contains("job completed") } == 3)
    }

    @Test(arguments: [SIGTERM, SIGINT])
    func `a signal lets the running job finish`(signal: Int32) async throws {
        try configure("kinds:\n  slow: { command: [sh, -c, 'touch begun; while [ ! -e go ]; do sleep 0.02; done'] }\n")
        _ = try await program.run("enqueue", "slow")
        _ = try await program.run("enqueue", "slow", "--in", "1h")
        let worker = try RunningProgram(program, ["worker", "--grace", "1m"])
        try await worker.wait(forFile: "begun")
        kill(worker.process.processIdentifier, signal)
        try await worker.wait(forError: "stopping")
        try program.directory.write("go", "")
        let result = try await worker.result()
        #expect(result.status == 0, "\(result.errors)")
        #expect(try await state(of: 1)["state"] as? String == "completed")
    }

    @Test(arguments: [(SIGTERM, Int32(143)), (SIGINT, Int32(130))])
    func `a second signal ends it at once, and the job runs again elsewhere`(signal: Int32, status: Int32) async throws {
        try configure("kinds:\n  slow: { command: [sh, -c, 'touch begun; exec sleep 1000'] }\nlease: 1s\n")
        _ = try await program.run("enqueue", "slow")
        let worker = try RunningProgram(program, ["worker"])
        try await worker.wait(forFile: "begun")
        kill(worker.process.processIdentifier, signal)
        try await worker.wait(forError: "stopping")
        kill(worker.process.processIdentifier, signal)
        let result = try await worker.result()
        #expect(result.status == status)
        #expect(result.errors.contains("ending at once; running jobs go back when the lease ends or another worker looks"))
        #expect(result.errors.contains(#""running":1"#))
        try configure("kinds:\n  slow: { command: ['true'] }\n")
        // A drain does not wait for what others hold, and for a moment the dead worker still does.
        var last: String?
        for _ in 0..<1_000 where last != "completed" {
            #expect(try await program.run("worker", "--drain").status == 0)
            last = try await state(of: 1)["state"] as? String
        }
        #expect(last == "completed")
    }

    /// Somebody else has the turn to write and keeps it, so closing waits; by then the worker itself has stopped. It does not
    /// wait long, and a busy machine may be late with the signal: then the worker has ended well, and it is tried again.
    @Test func `a second signal is heeded while the database closes`() async throws {
        try configure("kinds: { a: { command: [cat] } }\n")
        #expect(try await program.run("migrate", "up").status == 0)
        var result: Program.Result?
        for _ in 1...10 where result?.status != 143 {
            result = try await signalledWhileClosing()
            try #require(result?.status == 143 || result?.status == 0)
        }
        #expect(result?.status == 143)
        #expect(result?.errors.contains("ending at once") == true)
    }

    private func signalledWhileClosing() async throws -> Program.Result {
        let worker = try RunningProgram(program, ["worker"])
        try await worker.wait(forError: "worker started")
        let turns = open(program.directory.path + "/martlet.db-lock", O_RDWR | O_CLOEXEC)
        try #require(turns >= 0)
        defer { close(turns) }
        var both = flock(l_type: Int16(F_WRLCK), l_whence: Int16(SEEK_SET), l_start: 0, l_len: 2, l_pid: 0)
        try #require(fcntl(turns, F_SETLKW, &both) == 0)
        kill(worker.process.processIdentifier, SIGTERM)
        try await worker.wait(forError: "worker stopped")
        kill(worker.process.processIdentifier, SIGTERM)
        return try await worker.result()
    }
}

/// A program that is under way.
final class RunningProgram {
    let process: Process
    private let program: Program
    /// Far beyond what anything here takes; only so that a broken program does not hang the tests.
    private static let patience = Duration.seconds(60)

    struct TimedOut: Error {
        let waitedFor: String
        let errors: String
    }

    init(_ program: Program, _ arguments: [String], input: Pipe? = nil) throws {
        self.program = program
        process = try program.prepare(arguments)
        if let input { process.standardInput = input }
        try process.run()
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }

    func wait(forFile name: String) async throws {
        try await wait(name) { FileManager.default.fileExists(atPath: program.directory.path + "/" + name) }
    }

    func wait(forError text: String) async throws {
        try await wait(text) { try program.read("errors").contains(text) }
    }

    func result() async throws -> Program.Result {
        try await wait("the end") { !process.isRunning }
        return try program.result(of: process)
    }

    func wait(_ what: String, _ isThere: () async throws -> Bool) async throws {
        let clock = ContinuousClock()
        let end = clock.now + Self.patience
        while try await !isThere() {
            guard clock.now < end else { throw TimedOut(waitedFor: what, errors: try program.read("errors")) }
            try await clock.sleep(for: .milliseconds(10))
        }
    }
}
