import Foundation
import Glibc
import Logging
import MartletCore
import MartletTestSupport
import Testing

@testable import MartletWorker

/// Real programs: `/bin/sh` and what it starts.
@Suite struct CommandExecutorTests {
    func call(_ args: String = "{}", id: Int64 = 7) -> HandlerCall {
        HandlerCall(
            id: JobID(rawValue: id), kind: "resize", queue: "images", attempt: 2, maxAttempts: 5,
            lease: LeaseID(rawValue: 99),
            args: JSONText(trusted: Array(args.utf8)), enqueuedAt: Timestamp(microseconds: 0), timeout: nil,
            logger: .silent)
    }

    private func run(
        _ script: String, args: String = "{}", _ adjust: (inout CommandSpec) -> Void = { _ in }
    ) async throws -> Outcome {
        var spec = try CommandSpec(argv: ["/bin/sh", "-c", script])
        adjust(&spec)
        return await CommandExecutor(spec).run(call(args)).outcome
    }

    private func text(_ outcome: Outcome) throws -> String? {
        guard case .completed(let result) = outcome else {
            Issue.record("not completed: \(outcome)")
            return nil
        }
        return result?.string
    }

    private func error(_ outcome: Outcome) throws -> JobError {
        guard case .retry(let error, nil) = outcome else { throw Unexpected(outcome: outcome) }
        return error
    }

    private struct Unexpected: Error { let outcome: Outcome }

    // MARK: In and out

    @Test func `args come on standard input and output is the result`() async throws {
        #expect(try text(await run("cat", args: #"{"file":"a.png"}"#)) == #"{"file":"a.png"}"#)
        #expect(try text(await run("true")) == nil)
        #expect(try text(await run("echo done")) == #""done""#)
    }

    @Test func `args longer than a pipe holds arrive whole while output flows`() async throws {
        let args = "\"" + String(repeating: "x", count: 1_000_000) + "\""
        #expect(try text(await run("cat | wc -c | tr -d ' '", args: args)) == "1000002")
        let echoed = try await run("cat", args: args) { $0.resultBytes = 2_000_000 }
        #expect(try text(echoed) == args)
    }

    @Test func `a command that does not read its input, or closes it, is judged by its status alone`() async throws {
        let args = "\"" + String(repeating: "x", count: 1_000_000) + "\""
        #expect(try text(await run("exec 0<&-; echo ok", args: args)) == #""ok""#)
        #expect(try text(await run("echo ok", args: args)) == #""ok""#)
        #expect(try text(await run("head -c 10 > /dev/null; echo ok", args: args)) == #""ok""#)
        #expect(try error(await run("exec 0<&-; exit 3", args: args)).message == "exited with status 3")
    }

    @Test func `the environment is what is allowed and what names the job`() async throws {
        setenv("MARTLET_TEST_SECRET", "hidden", 1)
        setenv("MARTLET_TEST_PASSED", "seen", 1)
        let outcome = try await run("env | grep -E '^(MARTLET|FIXED|HOME|PATH)' | sort | cut -d= -f1 | tr '\\n' ' '") {
            $0.passedEnvironment = ["MARTLET_TEST_PASSED", "MARTLET_TEST_UNSET"]
            $0.environment = ["FIXED": "1", "MARTLET_KIND": "not this"]
        }
        let names =
            "FIXED HOME MARTLET_ATTEMPT MARTLET_JOB_ID MARTLET_KIND MARTLET_LEASE MARTLET_QUEUE MARTLET_TEST_PASSED PATH "
        #expect(try text(outcome) == "\"\(names)\"")
        let values = "$MARTLET_JOB_ID $MARTLET_ATTEMPT $MARTLET_KIND $MARTLET_QUEUE $MARTLET_LEASE $MARTLET_TEST_PASSED"
        let shown = try await run("echo \(values)") { $0.passedEnvironment = ["MARTLET_TEST_PASSED"] }
        #expect(try text(shown) == #""7 2 resize images 99 seen""#)
    }

    @Test func `nothing in args is ever a word of a command line`() async throws {
        #expect(try text(await run("echo $# $0", args: #""$(touch /tmp/never); `id`""#)) == #""0 /bin/sh""#)
    }

    @Test func `it runs in its own session and directory, with no descriptors of ours`() async throws {
        let own = try await run("ps -o sid= -p $$ | tr -d ' '; echo $$") { _ in }
        let ids = try #require(try text(own)).trimmingCharacters(in: ["\""]).components(separatedBy: "\\n")
        #expect(ids.count == 2 && ids[0] == ids[1])
        let directory = try await run("pwd") { $0.workingDirectory = "/usr" }
        #expect(try text(directory) == #""/usr""#)
        let leaked = open("/dev/null", O_RDONLY)
        defer { close(leaked) }
        // No pipeline, whose pipes the shell itself would hold for a moment; and not its last command, which it would become.
        #expect(try text(await run("ls /proc/$$/fd; :")) == #""0\n1\n2""#)
    }

    @Test func `output that is not UTF-8 is repaired`() async throws {
        #expect(try text(await run(#"printf 'caf\351'"#)) == "\"caf\u{FFFD}\"")
        #expect(try error(await run(#"printf 'caf\351' >&2; exit 1"#)).message == "exited with status 1: caf\u{FFFD}")
    }

    @Test func `a flood of output is drained, and only its ends are kept`() async throws {
        let flood = "head -c 300000000 /dev/zero | tr '\\0' a"
        let result = try #require(try text(await run(flood)))
        #expect(result.utf8.count <= Limits.resultBytes + 2)
        #expect(result.hasPrefix("\"aaa") && result.hasSuffix(" bytes in all)\""))
        let failure = try error(await run("\(flood) >&2; printf '\\nthe end' >&2; exit 1"))
        #expect(failure.message == "exited with status 1: the end")
        let detail = try #require(failure.detail)
        #expect(detail.hasPrefix("…a") && detail.hasSuffix("\nthe end"))
        #expect(detail.utf8.count <= Limits.errorDetailBytes)
    }

    @Test func `a result that was cut can be told from one that only looks so`() throws {
        let limit = Limits.resultBytes
        func cut(_ text: String) throws -> Bool {
            let bytes = Array(text.utf8)
            return CommandResult.isCut(
                try #require(CommandResult.json(bytes.prefix(limit), total: bytes.count, limit: limit)))
        }
        #expect(try cut(String(repeating: "a", count: limit + 1)))
        #expect(try cut(String(repeating: "\n", count: limit + 1)))
        // Characters of four bytes, of which up to three do not fit.
        for pad in 0..<4 { #expect(try cut(String(repeating: "a", count: pad) + String(repeating: "😀", count: limit))) }
        #expect(try !cut(String(repeating: "a", count: limit)))
        #expect(try !cut("… (cut: 70000 bytes in all)"))
        let unknown = try #require(
            CommandResult.json([UInt8](repeating: 97, count: limit)[...], total: nil, limit: limit))
        #expect(CommandResult.isCut(unknown))
    }

    // MARK: Limits

    private func report(_ script: String, _ conditions: ChildConditions) async throws -> RunReport {
        var spec = try CommandSpec(argv: ["/bin/sh", "-c", script])
        spec.conditions = conditions
        return await CommandExecutor(spec).run(call())
    }

    @Test func `a command that takes too much memory is killed, with what it started`() async throws {
        let script = "x=$(head -c 400000000 /dev/zero | tr '\\0' a); echo never"
        let taken = try await report(script, ChildConditions(limits: ProcessLimits(memory: 64 << 20)))
        // The watch sees it, unless it asks for twice the limit in one go, which it is not given.
        let failure = try error(taken.outcome)
        #expect(failure.message.hasPrefix("killed by signal 9 (out of memory)"), "\(failure)")
        let usage = try #require(taken.usage)
        #expect(try #require(usage.peakMemory) > 32 << 20)
        #expect(try #require(usage.processorTime) > .zero)
    }

    @Test func `an error that a limit of memory may have caused says what the limit was`() async throws {
        let limits = ChildConditions(limits: ProcessLimits(memory: 64 << 20))
        let refused = try error(await report("dd if=/dev/zero of=/dev/null bs=1G count=1", limits).outcome)
        #expect(
            refused.type == "exit" && refused.message.contains("memory limit of this attempt: 64 MiB"), "\(refused)")
        #expect(!refused.message.contains("close to it"))
        let hold = "dd if=/dev/zero bs=52M count=1 2>/dev/null | { sleep 1; cat > /dev/null; }; echo no >&2; exit 3"
        let near = try error(await report(hold, limits).outcome)
        #expect(near.message.contains("memory limit of this attempt: 64 MiB, peak close to it: 5"), "\(near)")
        let far = try error(await report("echo no >&2; exit 3", limits).outcome)
        #expect(far.message == "exited with status 3: no")
    }

    @Test func `memory counts all descendants together`() async throws {
        // None of the three has too much by itself.
        let hog = "awk 'BEGIN { while (length(x) < 3e7) x = x \"0123456789abcdef0123456789abcdef\" x; while (1) ; }'"
        let script = "\(hog) & \(hog) & \(hog)"
        let failure = try error(try await report(script, ChildConditions(limits: ProcessLimits(memory: 80 << 20))).outcome)
        #expect(failure.message == "killed by signal 9 (out of memory)")
    }

    @Test func `processor time, files and processes have their limits, too`() async throws {
        let spins = try await report("while :; do :; done", ChildConditions(limits: ProcessLimits(cpu: .seconds(1))))
        #expect(try error(spins.outcome).message == "killed by signal 24 (SIGXCPU: more than 1s of processor time)")
        // The limit counts whole ticks, the usage is exact: on a busy machine they differ.
        #expect(try #require(spins.usage?.processorTime) >= .milliseconds(200))
        let files = try await report("ulimit -n", ChildConditions(limits: ProcessLimits(files: 99)))
        #expect(try text(files.outcome) == "99")
        let many = "for i in 1 2 3 4 5 6 7 8; do while :; do sleep 0.05; done & done; wait"
        let forks = try await report(many, ChildConditions(limits: ProcessLimits(processes: 5)))
        #expect(try error(forks.outcome).message == "killed by signal 9 (more than 5 processes)")
        let nice = try await report("nice", ChildConditions(nice: 7))
        #expect(try text(nice.outcome) == "7")
    }

    @Test(.enabled(if: geteuid() == 0, "only root can become somebody else"))
    func `a command runs as the user it is told, without our groups`() async throws {
        let who = try await report("id -u; id -g; id -G", ChildConditions(user: 65_534, group: 65_533))
        #expect(try text(who.outcome) == #""65534\n65533\n65533""#)
    }

    @Test func `every run tells what it took`() async throws {
        let idle = try await report("exit 3", ChildConditions())
        #expect(try #require(idle.usage?.peakMemory) > 100_000)
        #expect(idle.usage?.processorTime != nil)
    }

    // MARK: Failures

    @Test func `an exit status is an error with the last line of standard error and its tail`() async throws {
        let failure = try error(await run("echo first >&2; echo 'no such image' >&2; echo >&2; exit 3"))
        #expect(
            failure
                == JobError(
                    type: "exit", message: "exited with status 3: no such image", detail: "first\nno such image\n\n"))
        #expect(try error(await run("exit 1")) == JobError(type: "exit", message: "exited with status 1"))
    }

    @Test func `exit status 75 reads as a wish to be tried again`() async throws {
        #expect(
            try error(await run("echo busy >&2; exit 75"))
                == JobError(
                    type: "tempfail", message: "asked to be tried again (exit status 75): busy", detail: "busy\n"))
    }

    @Test func `death by a signal is named`() async throws {
        #expect(try error(await run("kill -9 $$")) == JobError(type: "signal", message: "killed by signal 9 (SIGKILL)"))
        let failure = try error(await run("echo oh >&2; kill -SEGV $$"))
        #expect(failure == JobError(type: "signal", message: "killed by signal 11 (SIGSEGV): oh", detail: "oh\n"))
    }

    @Test(arguments: [
        ("no-such-program-here", nil, #"cannot run "no-such-program-here": no such program in PATH"#),
        ("/no/such/file", nil, #"cannot run "/no/such/file": no such file"#),
        ("/etc/passwd", nil, #"cannot run "/etc/passwd": it is not an executable file"#),
        ("true", "/no/such/dir", #"cannot run "true": cannot enter the directory "/no/such/dir""#),
    ])
    func `a command that cannot start says why`(program: String, directory: String?, message: String) async throws {
        let spec = try CommandSpec(argv: [program], workingDirectory: directory)
        #expect(try error(await CommandExecutor(spec).run(call()).outcome) == JobError(type: "exec", message: message))
    }

    @Test func `a specification that cannot work is refused`() {
        #expect(throws: InvalidInput.self) { try CommandSpec(argv: []) }
        #expect(throws: InvalidInput.self) { try CommandSpec(argv: [""]) }
        #expect(throws: InvalidInput.self) { try CommandSpec(argv: ["a\0b"]) }
        #expect(throws: InvalidInput.self) { try CommandSpec(argv: ["a"], passedEnvironment: ["A=B"]) }
        #expect(throws: InvalidInput.self) { try CommandSpec(argv: ["a"], environment: ["1A": ""]) }
        #expect(throws: InvalidInput.self) { try CommandSpec(argv: ["a"], environment: ["A": "\0"]) }
    }

    // MARK: Stopping

    /// Runs a script that writes its pid, and those of its children, to a file; cancels it when they are there.
    private func cancelled(
        _ script: String, pids count: Int, killGrace: Duration
    ) async throws -> (Outcome, [pid_t]) {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let file = directory.appendingPathComponent("pids").path
        var spec = try CommandSpec(argv: ["/bin/sh", "-c", script], environment: ["PIDS": file], killGrace: killGrace)
        spec.workingDirectory = directory.path
        let executor = CommandExecutor(spec)
        let call = call()
        let task = Task { await executor.run(call).outcome }
        var pids: [pid_t] = []
        try await eventually("the command runs") {
            let lines = (try? String(contentsOfFile: file, encoding: .utf8))?.split(separator: "\n") ?? []
            pids = lines.compactMap { pid_t($0) }
            return pids.count == count
        }
        task.cancel()
        return (await task.value, pids)
    }

    @Test func `cancellation is SIGTERM, and what the command says about it is kept`() async throws {
        let (outcome, pids) = try await cancelled(
            "trap 'echo stopping >&2; exit 9' TERM; echo $$ >> $PIDS; while :; do sleep 0.05; done", pids: 1,
            killGrace: .seconds(60))
        #expect(try error(outcome).message == "exited with status 9: stopping")
        #expect(pids.allSatisfy { !isAlive($0) })
    }

    @Test func `a command that ignores SIGTERM is killed after its grace, with all it started`() async throws {
        let (outcome, pids) = try await cancelled(
            "trap '' TERM; sh -c 'trap \"\" TERM; echo $$ >> $PIDS; while :; do sleep 0.05; done' & "
                + "echo $$ >> $PIDS; while :; do sleep 0.05; done",
            pids: 2, killGrace: .milliseconds(50))
        #expect(try error(outcome).type == "signal")
        #expect(try error(outcome).message == "killed by signal 9 (SIGKILL)")
        try await eventually("the whole group is dead") { pids.allSatisfy { !isAlive($0) } }
    }

    @Test func `a grandchild that outlives the command does not hold the job up, and is killed`() async throws {
        let outcome = try await run("sh -c 'trap \"\" TERM HUP; while :; do sleep 0.05; done' & echo $!")
        let printed = try #require(try text(outcome))
        let pid = try #require(pid_t(printed))
        try await eventually("the grandchild is dead") { !isAlive(pid) }
    }

    @Test func `a process that forked twice and took a session of its own goes with its command`() async throws {
        let (_, pids) = try await cancelled(
            "setsid sh -c 'setsid sh -c \"trap : TERM; echo \\$\\$ >> $PIDS; sleep 1000; sleep 1000\" & exit 0'; "
                + "trap '' TERM; echo $$ >> $PIDS; while :; do sleep 0.05; done",
            pids: 2, killGrace: .milliseconds(50))
        #expect(pids.allSatisfy { !isAlive($0) })
    }

    @Test func `a job that was cancelled before its command began does not start it`() async throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        let executor = CommandExecutor(
            try CommandSpec(argv: ["/bin/sh", "-c", "touch $MARK"], environment: ["MARK": file]))
        let (call, gate) = (call(), Gate())
        let task = Task {
            await gate.pass(deaf: true)
            return await executor.run(call).outcome
        }
        task.cancel()
        gate.open()
        #expect(await task.value == .interrupted)
        #expect(!FileManager.default.fileExists(atPath: file))
    }

    @Test func `a program that must end at once takes its commands with it`() async throws {
        // In a process of its own, since it ends every command there is.
        await #expect(processExitsWith: .exitCode(7)) {
            let path = "/tmp/martlet-\(getpid()).pid"
            let spec = try CommandSpec(argv: [
                "/bin/sh", "-c", "trap '' TERM; echo $$ > \(path).new; mv \(path).new \(path); while :; do sleep 0.05; done",
            ])
            let call = CommandExecutorTests().call()
            let task = Task { await CommandExecutor(spec).run(call) }
            try await eventually("the command runs") { FileManager.default.fileExists(atPath: path) }
            let text = try String(contentsOfFile: path, encoding: .utf8)
            try FileManager.default.removeItem(atPath: path)
            let pid = try #require(pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)))
            #expect(kill(pid, 0) == 0)
            RunningCommands.killAll()
            try await eventually("the command is dead, though it ignores SIGTERM") { kill(pid, 0) != 0 }
            _ = await task.value
            exit(7)
        }
    }

    @Test func `many commands run beside each other`() async throws {
        try await withThrowingTaskGroup { group in
            for number in 0..<100 {
                group.addTask { try await text(run("cat", args: "\(number)")) == "\(number)" }
            }
            for try await isRight in group { #expect(isRight) }
        }
    }
}
