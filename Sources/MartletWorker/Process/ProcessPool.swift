import MartletCore
import Synchronization

/// The children that run one kind's jobs: as many as there are runs at a time, kept for the next ones.
///
/// The worker's concurrency bounds how many there are. One that has been idle for a while ends, so does one that has run many
/// jobs or holds much memory; a job never meets another in one child.
package final class ProcessPool: Sendable {
    package struct Settings: Sendable {
        package var limits = ProcessLimits.none
        /// Between the cancellation of a run and SIGKILL.
        package var grace: Duration = .seconds(5)
        /// How long a child waits for another job.
        package var idle: Duration = .seconds(60)
        /// After so many jobs another child takes its place.
        package var jobs = 10_000
        /// How long the program may take from its start to its child mode.
        package var startup: Duration = .seconds(30)

        package init() {}

        /// Resident bytes after which another child takes its place: a leak must not count against the next job.
        var highWater: Int? { limits.memory.map { $0 / 2 } }
    }

    private let settings: Settings
    private let program: ChildProgram
    private let idle = Mutex<[WarmChild]>([])

    package init(settings: Settings, program: ChildProgram = .this) {
        self.settings = settings
        self.program = program
    }

    /// How many wait for a job.
    package var idleCount: Int { idle.withLock { $0.count } }

    package func run(_ call: HandlerCall) async -> RunReport {
        do throws(Errno) {
            let child: WarmChild
            if let idle = takeIdle() { child = idle } else { child = try start() }
            let answer = await child.run(call, limits: settings.limits, startup: settings.startup)
            giveBack(child, after: answer)
            return report(answer, call)
        } catch {
            return RunReport(.retry(Self.cannotStart(error)))
        }
    }

    /// In a child that has run nothing before and runs nothing after, whose death is the job's own doing.
    package func runAlone(_ call: HandlerCall) async -> RunReport {
        do throws(Errno) {
            let child = try start()
            let answer = await child.run(call, limits: settings.limits, startup: settings.startup)
            child.close()
            let report = report(answer, call)
            guard case .died(_, _, hasBegun: true) = answer, case .retry(let error, _) = report.outcome else {
                return report
            }
            return RunReport(.crashed(error), usage: report.usage)
        } catch {
            return RunReport(.retry(Self.cannotStart(error)))
        }
    }

    // MARK: Children

    private func start() throws(Errno) -> WarmChild {
        try WarmChild(program, conditions: ChildConditions(limits: settings.limits), grace: settings.grace)
    }

    /// The one that was busy last: the others may come to the end of their time.
    private func takeIdle() -> WarmChild? {
        idle.withLock { idle in
            while let child = idle.popLast() {
                if !child.isClosed { return child }
            }
            return nil
        }
    }

    private func giveBack(_ child: WarmChild, after answer: WarmChild.Answer) {
        guard case .done = answer, child.jobs < settings.jobs, child.resident <= settings.highWater ?? .max else {
            return child.close()
        }
        idle.withLock { $0.append(child) }
        Reactor.shared.after(settings.idle) { [weak self] in self?.endIdle() }
    }

    private func endIdle() {
        let now = Moment.now
        let ended = idle.withLock { idle in
            let ended = idle.filter { $0.isClosed || now - $0.idleSince >= settings.idle }
            idle.removeAll { child in ended.contains { $0 === child } }
            return ended
        }
        for child in ended { child.close() }
    }

    deinit { for child in idle.withLock({ $0 }) { child.close() } }

    // MARK: Endings

    private func report(_ answer: WarmChild.Answer, _ call: HandlerCall) -> RunReport {
        switch answer {
        case .done(let report):
            return RunReport(report.outcome, usage: report.usage, followUps: report.followUps)
        case .died(let end, let stderr, hasBegun: true):
            return RunReport(.retry(Self.death(end, settings.limits, stderr)), usage: end.usage)
        case .died(let end, let stderr, hasBegun: false):
            let how = Self.death(end, settings.limits, stderr)
            return RunReport(.retry(Self.notReady("it \(how.message)", detail: how.detail)), usage: end.usage)
        case .mute:
            return RunReport(.retry(Self.notReady("it was not ready after \(settings.startup.text)", detail: nil)))
        case .unknownKind(let kinds):
            return RunReport(
                .retry(
                    JobError(
                        type: "child",
                        message: "the child process of this program runs no jobs of kind \(call.kind), only "
                            + "\(kinds.joined(separator: ", ")): it must name the same job types as the worker")))
        }
    }

    private static func death(_ end: ChildEnd, _ limits: ProcessLimits, _ stderr: CappedOutput) -> JobError {
        switch end {
        case .unable(_, let error): cannotStart(error)
        case .exited(let status, _): ChildFailure.exited(status, swift: stderr)
        case .killed(let cause, _): ChildFailure.killed(cause, limits: limits, swift: stderr)
        }
    }

    private static func cannotStart(_ error: Errno) -> JobError {
        JobError(type: "exec", message: "cannot start this program again as a child process: \(error)")
    }

    private static func notReady(_ what: String, detail: String?) -> JobError {
        JobError(
            type: "child",
            message: "this program was started again to run the job in a child process, but did not get as far as its "
                + "Worker: \(what). Call `await Worker.runAsChild(jobs:)` first thing in main, with the same job types",
            detail: detail)
    }
}
