import MartletCore
import MartletStore

/// Why an import ended before its source did, what is enqueued all the same, and how to go on.
package struct ImportFailure: Error, Sendable, CustomStringConvertible {
    package enum Cause: Sendable {
        case line(Int, InvalidInput)
        case reading(String)
        case store(StoreError)
        case stopped
    }

    /// The source's name.
    package let file: String
    package let cause: Cause
    /// What is durable.
    package let done: ImportProgress
    /// Everything before this line is enqueued, and nothing from it on: `--start-line` of the next try.
    package let resumeLine: Int
    /// Lines of which nobody knows, because the connection broke before the answer.
    package let uncertain: ClosedRange<Int>?

    /// The line to look at.
    package var line: Int? {
        switch cause {
        case .line(let line, _): line
        case .reading, .store, .stopped: nil
        }
    }

    package var description: String { "\(reason)\n\(consequence)" }

    /// What went wrong, and where.
    package var reason: String {
        switch cause {
        case .line(let line, let input): "\(file):\(line): \(input)"
        case .reading(let reason): "\(file): \(reason)"
        case .store(let error): error.message
        case .stopped: "\(file): the import was stopped"
        }
    }

    /// What was enqueued and what was not, and what to do next.
    package var consequence: String {
        if let uncertain {
            return """
                \(enqueued). Whether lines \(uncertain.lowerBound) to \(uncertain.upperBound) were enqueued as well is \
                unknown: look at the newest jobs, then go on with --start-line \(uncertain.lowerBound) or \
                --start-line \(uncertain.upperBound + 1)
                """
        }
        let next = resumeLine == 1 ? "start again" : "go on with --start-line \(resumeLine)"
        return switch cause {
        case .line: "\(enqueued). Correct the line and \(next)"
        case .reading, .store, .stopped: "\(enqueued). To finish, \(next)"
        }
    }

    private var enqueued: String {
        guard let first = done.firstID, let last = done.lastID else { return "Nothing was enqueued" }
        let jobs =
            first == last
            ? "1 job was enqueued (id \(first))" : "\(done.enqueued) jobs were enqueued (ids \(first) to \(last))"
        return "\(jobs), up to line \(resumeLine - 1); nothing from line \(resumeLine) on"
    }
}

/// What stops the reading side.
enum ImportFlaw: Error {
    case line(Int, InvalidInput)
    case reading(String)
    case stopped
}
