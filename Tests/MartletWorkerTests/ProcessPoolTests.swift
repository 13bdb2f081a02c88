import Foundation
import Glibc
import Logging
import MartletCore
import MartletTestSupport
import Synchronization
import Testing

@testable import MartletWorker

/// Real children of a real program.
@Suite struct ProcessPoolTests {
    private static let program: ChildProgram = {
        let file = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
            .appendingPathComponent("FaultProgram").path
        return ChildProgram(path: file, argv: [file], environment: ProcessInfo.processInfo.environment)
    }()

    private func pool(_ adjust: (inout ProcessPool.Settings) -> Void = { _ in }) -> ProcessPool {
        var settings = ProcessPool.Settings()
        adjust(&settings)
        return ProcessPool(settings: settings, program: Self.program)
    }

    private func call(
        _ act: String, path: String = "", kind: String = "probing", progress: (any ProgressSink)? = nil,
        logger: Logger = .silent
    ) -> HandlerCall {
        let args = "{\"act\":\"\(act)\",\"path\":\"\(path)\",\"number\":5}"
        return HandlerCall(
            id: JobID(rawValue: 7), kind: kind, queue: "images", attempt: 2, maxAttempts: 5, lease: LeaseID(rawValue: 99),
            args: JSONText(trusted: Array(args.utf8)), enqueuedAt: Timestamp(microseconds: 0), timeout: nil,
            progress: progress, logger: logger)
    }

    private func error(_ report: RunReport) throws -> JobError {
        guard case .retry(let error, _) = report.outcome else { throw Unexpected(outcome: report.outcome) }
        return error
    }

    private struct Unexpected: Error { let outcome: Outcome }

    private func pid(in file: String) throws -> pid_t { try #require(pid_t(String(contentsOfFile: file, encoding: .utf8))) }

    private final class Heard: ProgressSink {
        let all = Mutex<[String]>([])

        func tell(_ call: HandlerCall, fraction: Double?, note: String?) {
            all.withLock { $0.append("\(call.id) \(fraction ?? -1) \(note ?? "")") }
        }
    }

    @Test func `follow-ups and progress cross between the processes`() async throws {
        let heard = Heard()
        let report = await pool().run(call("follow", progress: heard))
        #expect(report.outcome == .completed(result: nil))
        #expect(heard.all.withLock { $0 } == ["7 0.25 quarter"])
        let job = try #require(report.followUps.first)
        #expect(
            job.kind == "probing" && job.queue == "next" && job.priority.rawValue == 2 && job.start == .after(.seconds(3)))
        #expect(job.maxAttempts == 4 && job.timeout == .seconds(9) && job.expires == .after(.seconds(60)))
        #expect(job.args.string.contains("\u{e9}"))
        #expect(report.followUps.count == 1)
    }

    // MARK: Endings

    @Test func `every ending crosses between the processes`() async throws {
        let pool = pool()
        #expect(await pool.run(call("succeed")).outcome == .completed(result: nil))
        let failed = await pool.run(call("fail")).outcome
        guard case .retry(let retry, .seconds(7)?) = failed else { throw Unexpected(outcome: failed) }
        #expect(retry.type == "Retry" && retry.message == "not today")
        #expect(retry.detail?.hasPrefix("at FaultProgram/Probing.swift:") == true)
        #expect(await pool.run(call("snooze")).outcome == .snooze(.seconds(9)))
        let discarded = await pool.run(call("discard")).outcome
        guard case .discard(let discard) = discarded else { throw Unexpected(outcome: discarded) }
        #expect(discard.type == "Discard" && discard.message == "for good")
        let misfit = await pool.run(call("unheard of")).outcome
        guard case .discard(let error) = misfit else { throw Unexpected(outcome: misfit) }
        #expect(error.type == "decoding")
        #expect(pool.idleCount == 1)
    }

    @Test func `a child stays for the next job until it has done its share`() async throws {
        try await withTemporaryDirectory { directory in
            let pool = pool { $0.jobs = 2 }
            var pids: [pid_t] = []
            for number in 0..<4 {
                let file = directory.appendingPathComponent("\(number)").path
                #expect(await pool.run(call("writePID", path: file)).outcome == .completed(result: nil))
                pids.append(try pid(in: file))
            }
            #expect(pids[0] == pids[1] && pids[1] != pids[2] && pids[2] == pids[3])
            #expect(pool.idleCount == 0)
            try await eventually("both have ended") { !isAlive(pids[0]) && !isAlive(pids[2]) }
        }
    }

    @Test func `a child that nobody needs ends, and so do those of a pool that is gone`() async throws {
        try await withTemporaryDirectory { directory in
            let file = directory.appendingPathComponent("pid").path
            let pool = pool { $0.idle = .milliseconds(50) }
            _ = await pool.run(call("writePID", path: file))
            let first = try pid(in: file)
            try await eventually("it has ended") { !isAlive(first) && pool.idleCount == 0 }
            var other: ProcessPool? = self.pool()
            _ = await other?.run(call("writePID", path: file))
            let second = try pid(in: file)
            #expect(isAlive(second))
            other = nil
            try await eventually("it has ended with its pool") { !isAlive(second) }
        }
    }

    @Test func `a crash is the error of its job alone, with what the child said last`() async throws {
        let pool = pool()
        let exit = try error(await pool.run(call("exit")))
        #expect(exit.type == "exit" && exit.message.hasPrefix("exited with status 7 before the job had ended"))
        let segfault = try error(await pool.run(call("segfault")))
        #expect(segfault.type == "signal" && segfault.message.hasPrefix("killed by signal 11 (SIGSEGV)"), "\(segfault)")
        #expect(segfault.detail?.contains("about to die") == true)
        let trap = try error(await pool.run(call("", kind: "trapping")))
        #expect(trap.type == "signal" && trap.message.contains("Fatal error: trap number 5"), "\(trap)")
        #expect(await pool.run(call("succeed")).outcome == .completed(result: nil))
    }

    @Test func `a suspect runs in a child of its own, whose death is told apart`() async throws {
        let pool = pool()
        #expect(await pool.runAlone(call("succeed")).outcome == .completed(result: nil))
        #expect(pool.idleCount == 0)
        let fatal = await pool.runAlone(call("", kind: "trapping")).outcome
        guard case .crashed(let error) = fatal else { throw Unexpected(outcome: fatal) }
        #expect(error.message.contains("trap number 5"))
        let failed = await pool.runAlone(call("fail")).outcome
        guard case .retry(let retry, .seconds(7)?) = failed else { throw Unexpected(outcome: failed) }
        #expect(retry.type == "Retry" && retry.message == "not today")
    }

    @Test func `a job that takes too much memory is killed`() async throws {
        let report = await pool { $0.conditions.limits = ProcessLimits(memory: 150 << 20) }.run(call("", kind: "leaking"))
        let failure = try error(report)
        #expect(failure.type == "signal" && failure.message.contains("out of memory"), "\(failure)")
        #expect(try #require(report.usage?.peakMemory) > 100 << 20)
    }

    @Test(.enabled(if: geteuid() == 0, "only root can become somebody else"))
    func `a job runs as the user it is told, without our groups`() async throws {
        try await withTemporaryDirectory { directory in
            #expect(chmod(directory.path, 0o777) == 0)
            let file = directory.appendingPathComponent("id").path
            let pool = pool {
                $0.conditions.user = 65_534
                $0.conditions.group = 65_533
            }
            #expect(await pool.run(call("identity", path: file)).outcome == .completed(result: nil))
            let identity = try String(contentsOfFile: file, encoding: .utf8)
            #expect(identity == "65534 65533 0")
        }
    }

    @Test func `this program as a child has the environment that is allowed to it`() {
        let ours = ProcessInfo.processInfo.environment
        let environment: ChildEnvironment = ["MODE": "nightly"]
        #expect(ChildProgram.this(environment).environment == environment.applied(to: ours))
    }

    @Test func `processor time is limited for each run, not for the child's life`() async throws {
        let pool = pool { $0.conditions.limits = ProcessLimits(cpu: .seconds(1)) }
        for _ in 0..<30 { #expect(await pool.run(call("computeForAMoment")).outcome == .completed(result: nil)) }
        try await withTemporaryDirectory { directory in
            let spins = await pool.run(call("spin", path: directory.appendingPathComponent("pid").path))
            let failure = try error(spins)
            #expect(failure.message.hasPrefix("killed by signal 24 (SIGXCPU: more than 1s of processor time)"))
        }
    }

    @Test func `each run tells what it took itself`() async throws {
        let pool = pool()
        let large = try #require(await pool.run(call("allocate")).usage)
        #expect(try #require(large.peakMemory) > 100 << 20)
        let small = try #require(await pool.run(call("succeed")).usage)
        #expect(try #require(small.peakMemory) < 100 << 20)
        let busy = try #require(await pool.run(call("computeForAMoment")).usage)
        #expect(try #require(busy.processorTime) >= .milliseconds(20))
        #expect(try #require(busy.processorTime) < .seconds(10))
    }

    @Test func `a handler logs into the worker's log`() async throws {
        let lines = Mutex<[String]>([])
        let recorder = Recorder { line in lines.withLock { $0.append(line) } }
        let outcome = await pool { $0.speaker = Speaker() }.run(call("log", logger: Logger(label: "test") { _ in recorder }))
            .outcome
        #expect(outcome == .completed(result: nil))
        try await eventually("it is logged") { !lines.withLock { $0.isEmpty } }
        #expect(lines.withLock { $0 } == ["warning halfway attempt=2 job=7 kind=probing share=0.5"])
    }

    private struct Recorder: LogHandler {
        let record: @Sendable (String) -> Void
        var metadata = Logger.Metadata()
        var logLevel = Logger.Level.info

        init(_ record: @escaping @Sendable (String) -> Void) { self.record = record }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let all = metadata.merging(event.metadata ?? [:]) { $1 }.map { "\($0)=\($1)" }.sorted()
            record(([event.level.rawValue, event.message.description] + all).joined(separator: " "))
        }
    }

    // MARK: Children that forge

    @Test func `a result that is no text is its attempt's error, and the worker goes on`() async throws {
        let pool = pool()
        let failure = try error(await pool.run(call("forgeResult")))
        #expect(failure.type == "child" && failure.message.contains("makes no sense"), "\(failure)")
        #expect(pool.idleCount == 0)
        #expect(try error(await pool.runAlone(call("forgeResult"))).type == "child")
        #expect(await pool.run(call("succeed")).outcome == .completed(result: nil))
    }

    @Test func `what a child says it took is no more than there can be`() async throws {
        let report = await pool().run(call("forgeUsage"))
        #expect(report.outcome == .completed(result: nil))
        #expect(report.usage == Usage(peakMemory: 1 << 50, processorTime: .zero))
    }

    // MARK: Stopping

    @Test func `cancellation reaches the run, which can clean up; its child stays`() async throws {
        try await withTemporaryDirectory { directory in
            let file = directory.appendingPathComponent("pid").path
            let (pool, call) = (pool(), call("cleanUp", path: file))
            let task = Task { await pool.run(call) }
            try await eventually("it runs") { FileManager.default.fileExists(atPath: file) }
            task.cancel()
            #expect(await task.value.outcome == .interrupted)
            #expect(FileManager.default.fileExists(atPath: file + ".end"))
            #expect(pool.idleCount == 1)
        }
    }

    @Test func `a run that does not heed its cancellation is killed after the grace`() async throws {
        try await withTemporaryDirectory { directory in
            let file = directory.appendingPathComponent("pid").path
            let (pool, call) = (pool { $0.grace = .milliseconds(50) }, call("spin", path: file))
            let task = Task { await pool.run(call) }
            try await eventually("it runs") { FileManager.default.fileExists(atPath: file) }
            task.cancel()
            #expect(try error(await task.value).message.hasPrefix("killed by signal 9 (SIGKILL)"))
            #expect(try !isAlive(pid(in: file)))
        }
    }

    @Test(.timeLimit(.minutes(2)))
    func `a job that was cancelled before its child was ready does not begin`() async throws {
        try await withTemporaryDirectory { directory in
            let mark = directory.appendingPathComponent("mark").path
            let shell = ChildProgram(path: "/bin/sh", argv: ["sh", "-c", "echo > \(mark); sleep 600"], environment: [:])
            let starting = ProcessPool(settings: ProcessPool.Settings(), program: shell)
            let call = call("succeed")
            let task = Task { await starting.run(call) }
            try await eventually("its child starts") { FileManager.default.fileExists(atPath: mark) }
            task.cancel()
            #expect(await task.value.outcome == .interrupted)
        }
    }

    @Test func `a job that was cancelled before it was handed over does not begin, and its child stays`() async throws {
        try await withTemporaryDirectory { directory in
            let file = directory.appendingPathComponent("pid").path
            let (pool, gate) = (pool(), Gate())
            _ = await pool.run(call("succeed"))
            let call = call("writePID", path: file)
            let task = Task {
                await gate.pass(deaf: true)
                return await pool.run(call)
            }
            task.cancel()
            gate.open()
            #expect(await task.value.outcome == .interrupted)
            #expect(pool.idleCount == 1)
            #expect(await pool.run(self.call("succeed")).outcome == .completed(result: nil), "after all it was sent")
            #expect(!FileManager.default.fileExists(atPath: file))
        }
    }

    // MARK: Children that talk

    /// Runs a child that logs without end beside others.
    private func beside(_ recorder: Recorder, _ body: (ProcessPool) async throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            let file = directory.appendingPathComponent("pid").path
            let speaker = Speaker()
            let others = pool { $0.speaker = speaker }
            let talking = pool {
                $0.grace = .milliseconds(50)
                $0.speaker = speaker
            }
            let call = call("chatter", path: file, logger: Logger(label: "test") { _ in recorder })
            let task = Task { await talking.run(call) }
            try await eventually("it talks") { FileManager.default.fileExists(atPath: file) }
            try await body(others)
            task.cancel()
            _ = await task.value
        }
    }

    @Test(.timeLimit(.minutes(2)))
    func `a child that logs without end keeps nobody waiting, and ends when it is cancelled`() async throws {
        let lines = Mutex(0)
        try await beside(Recorder { _ in lines.withLock { $0 += 1 } }) { others in
            for _ in 0..<20 { #expect(await others.run(call("succeed")).outcome == .completed(result: nil)) }
            try await eventually("it goes on") { lines.withLock { $0 } > 10_000 }
        }
    }

    @Test(.timeLimit(.minutes(2)))
    func `a log that blocks holds up no other child, nor the end of one that is cancelled`() async throws {
        let blocker = Blocker()
        let lines = Mutex(0)
        defer { blocker.open() }
        let recorder = Recorder { _ in
            lines.withLock { $0 += 1 }
            blocker.wait()
        }
        try await beside(recorder) { others in
            try await eventually("its log blocks") { lines.withLock { $0 } == 1 }
            for _ in 0..<20 { #expect(await others.run(call("succeed")).outcome == .completed(result: nil)) }
            #expect(lines.withLock { $0 } == 1)
        }
    }

    @Test(.timeLimit(.minutes(2)), arguments: ["log", "logAndVanish"])
    func `a run that is done has ended, whatever becomes of its log and its child`(act: String) async throws {
        let blocker = Blocker()
        defer { blocker.open() }
        let logger = Logger(label: "test") { _ in Recorder { _ in blocker.wait() } }
        let pool = pool { $0.speaker = Speaker() }
        #expect(await pool.run(call(act, logger: logger)).outcome == .completed(result: nil))
        #expect(await pool.run(call(act, logger: logger)).outcome == .completed(result: nil))
        #expect(pool.idleCount <= 1)
    }

    @Test func `jobs leave no timers behind`() async throws {
        let pool = pool()
        let before = Reactor.shared.timers
        for _ in 0..<500 { #expect(await pool.run(call("succeed")).outcome == .completed(result: nil)) }
        // Tests beside this one have some, too.
        #expect(Reactor.shared.timers - before < 250)
    }

    @Test func `what a job leaves behind goes with its child`() async throws {
        try await withTemporaryDirectory { directory in
            let file = directory.appendingPathComponent("pid").path
            _ = await pool().run(call("spawn", path: file))
            let text = try String(contentsOfFile: file, encoding: .utf8)
            let pid = try #require(pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)))
            #expect(!isAlive(pid))
        }
    }

    // MARK: Programs that are no use

    @Test func `a program that never becomes a child says what to do`() async throws {
        let shells = [("exit 3", "exited with status 3"), ("sleep 600", "was not ready after 200ms")]
        for (script, reason) in shells {
            var settings = ProcessPool.Settings()
            settings.startup = .milliseconds(200)
            let shell = ChildProgram(path: "/bin/sh", argv: ["sh", "-c", script], environment: [:])
            if script.hasPrefix("exit") { settings.startup = .seconds(60) }
            let failure = try error(await ProcessPool(settings: settings, program: shell).run(call("succeed")))
            #expect(failure.type == "child" && failure.message.contains(reason), "\(failure)")
            #expect(failure.message.contains("Worker.runAsChild(jobs:)"))
        }
    }

    @Test func `a kind that the child does not have is named`() async throws {
        let failure = try error(await pool().run(call("", kind: "unheard-of")))
        #expect(failure.message.contains("runs no jobs of kind unheard-of, only computing, "))
    }
}
