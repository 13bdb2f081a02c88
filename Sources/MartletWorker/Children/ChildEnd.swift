import CMartletLinux
import Glibc
import MartletCore

/// How a child ended, and what it took.
enum ChildEnd: Sendable, Equatable {
    /// No program ran.
    case unable(Step, Errno)
    case exited(CInt, Usage)
    case killed(Cause, Usage)

    enum Step: Sendable, Equatable {
        case fork, limits, group, user, directory, descriptors, execute

        init(_ number: Int32) {
            switch martlet_spawn_step(UInt32(number)) {
            case MARTLET_STEP_LIMITS: self = .limits
            case MARTLET_STEP_GROUP: self = .group
            case MARTLET_STEP_USER: self = .user
            case MARTLET_STEP_DIRECTORY: self = .directory
            case MARTLET_STEP_DESCRIPTORS: self = .descriptors
            case MARTLET_STEP_EXECUTE: self = .execute
            // A number of C's, not an enum of ours.
            default: self = .fork
            }
        }
    }

    enum Cause: Sendable, Equatable {
        case signal(CInt)
        /// Of the machine, or what the limit allows.
        case outOfMemory(signal: CInt)
        case tooManyProcesses
    }

    var usage: Usage? {
        switch self {
        case .unable: nil
        case .exited(_, let usage), .killed(_, let usage): usage
        }
    }

    /// What was told of earlier runs of the same process is not counted twice.
    mutating func subtract(processorTime: Duration) {
        guard var usage else { return }
        usage.processorTime = usage.processorTime.map { max(.zero, $0 - processorTime) }
        switch self {
        case .unable: break
        case .exited(let status, _): self = .exited(status, usage)
        case .killed(let cause, _): self = .killed(cause, usage)
        }
    }

    /// - Parameter byUs: whether SIGKILL was our doing, and so nobody else's.
    init(_ report: martlet_child_report, byUs: Bool) {
        let usage = Usage(
            peakMemory: report.peak > 0 ? Int(report.peak) : nil,
            processorTime: .microseconds(report.processor_time))
        // What the supervisor killed may have ended by itself in the same moment.
        let died = martlet_signal(report.status)
        let signal = died == 0 ? SIGKILL : died
        switch martlet_child_limit(UInt32(report.limit)) {
        case MARTLET_LIMIT_MEMORY: self = .killed(.outOfMemory(signal: signal), usage)
        case MARTLET_LIMIT_PROCESSES: self = .killed(.tooManyProcesses, usage)
        // A number of C's: no limit.
        default:
            if martlet_exited(report.status) != 0 {
                self = .exited(martlet_exit_code(report.status), usage)
            } else if signal == 9, report.machine_oom != 0, !byUs {
                self = .killed(.outOfMemory(signal: signal), usage)
            } else {
                self = .killed(.signal(signal), usage)
            }
        }
    }
}
