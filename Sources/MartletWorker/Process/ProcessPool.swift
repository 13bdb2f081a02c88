import MartletCore
import Synchronization

/// The children that run one kind's jobs: as many as there are runs at a time, kept for the next ones.
///
/// The worker's concurrency bounds how many there are. One that has been idle for a while ends, so does one that has run many
/// jobs or holds much memory; a job never meets another in one child.
package final class ProcessPool: Sendable {
    package struct Settings: Sendable {
        package var conditions = ChildConditions()
        /// Between the cancellation of a run and SIGKILL.
        package var grace: Duration = .seconds(5)
        /// How long a child waits for another job.
        package var idle: Duration = .seconds(60)
        /// After so many jobs another child takes its place.
        package var jobs = 10_000
        /// How long the program may take from its start to its child mode.
        package var startup: Duration = .seconds(30)
        /// Says on what children say.
        var speaker = Speaker.shared

        package init() {}

        /// Resident bytes after which another child takes its place: a leak must not count against the next job.
        var highWater: Int? { conditions.limits.memory.map { $0 / 2 } }
    }

    private let settings: Settings
    private let program: ChildProgram
    private struct State {
        var idle: [WarmChild] = []
        /// Whether somebody will look for those that have been idle for too long.
        var isTimed = false
    }

    private let state = Mutex(State())

    package init(settings: Settings, program: ChildProgram) {
        self.settings = settings
        self.program = program
    }

    /// How many wait for a job.
    package var idleCount: Int { state.withLock { $0.idle.count } }

    package func run(_ call: HandlerCall) async -> RunReport {
        do throws(Errno) {
            let child: WarmChild
            if let idle = takeIdle() { child = idle } else { child = try start() }
            let answer = await child.run(call, limits: settings.conditions.limits, startup: settings.startup)
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
            let answer = await child.run(call, limits: settings.conditions.limits, startup: settings.startup)
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
        try WarmChild(program, conditions: settings.conditions, grace: settings.grace, speaker: settings.speaker)
    }

    /// The one that was busy last: the others may come to the end of their time.
    private func takeIdle() -> WarmChild? {
        state.withLock { state in
            while let child = state.idle.popLast() {
                if !child.isClosed { return child }
            }
            return nil
        }
    }

    private func giveBack(_ child: WarmChild, after answer: WarmChild.Answer) {
        guard answer.leavesIntact, !child.isClosed, child.jobs < settings.jobs, child.resident <= settings.highWater ?? .max
        else {
            return child.close()
        }
        let isFirst = state.withLock { state in
            state.idle.append(child)
            defer { state.isTimed = true }
            return !state.isTimed
        }
        if isFirst { look(after: settings.idle) }
    }

    /// One look at a time is ahead, however many jobs there are.
    private func look(after delay: Duration) {
        Reactor.shared.after(delay) { [weak self] in self?.endIdle() }
    }

    private func endIdle() {
        let now = Moment.now
        let (ended, next) = state.withLock { state in
            let ended = state.idle.filter { $0.isClosed || now - $0.idleSince >= settings.idle }
            state.idle.removeAll { child in ended.contains { $0 === child } }
            let next = state.idle.map { $0.idleSince + settings.idle }.min()
            state.isTimed = next != nil
            return (ended, next)
        }
        for child in ended { child.close() }
        if let next { look(after: next - now) }
    }

    deinit { for child in state.withLock({ $0.idle }) { child.close() } }

    // MARK: Endings

    private func report(_ answer: WarmChild.Answer, _ call: HandlerCall) -> RunReport {
        switch answer {
        case .done(let report):
            return RunReport(report.outcome, usage: report.usage, followUps: report.followUps)
        case .died(let end, let stderr, hasBegun: true):
            return RunReport(.retry(Self.death(end, settings.conditions.limits, stderr)), usage: end.usage)
        case .died(let end, let stderr, hasBegun: false):
            let how = Self.death(end, settings.conditions.limits, stderr)
            return RunReport(.retry(Self.notReady("it \(how.message)", detail: how.detail)), usage: end.usage)
        case .notBegun:
            return RunReport(.interrupted)
        case .mute:
            return RunReport(.retry(Self.notReady("it was not ready after \(settings.startup.text)", detail: nil)))
        case .senseless:
            return RunReport(
                .retry(
                    JobError(
                        type: "child",
                        message: "the child process that ran the job said what makes no sense to its worker: something "
                            + "in it writes to descriptor \(ChildMode.channel), which belongs to the worker")))
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
        case .unable(let step, let error): cannotStart(error, at: step)
        case .exited(let status, _): ChildFailure.explained(ChildFailure.exited(status, swift: stderr), end, limits)
        case .killed(let cause, _):
            ChildFailure.explained(ChildFailure.killed(cause, limits: limits, swift: stderr), end, limits)
        }
    }

    private static func cannotStart(_ error: Errno, at step: ChildEnd.Step? = nil) -> JobError {
        let what =
            switch step {
            case .directory: "cannot enter the worker's directory, as the user it shall run as: "
            case .user, .group: "cannot take the user and group it shall run as: "
            case .limits: "cannot take its limits: "
            case .fork, .descriptors, .execute, nil: ""
            }
        return JobError(type: "exec", message: "cannot start this program again as a child process: \(what)\(error)")
    }

    private static func notReady(_ what: String, detail: String?) -> JobError {
        JobError(
            type: "child",
            message: "this program was started again to run the job in a child process, but did not get as far as its "
                + "`Worker.runAsChild(jobs:)`: \(what). Call that first thing in main",
            detail: detail)
    }
}
