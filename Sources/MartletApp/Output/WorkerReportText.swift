import MartletCore
import MartletStore

extension WorkerReport {
    /// What a person should know of it, a line each. What is as it should be says nothing.
    var noteworthy: [String] {
        var lines: [String] = []
        for (name, kind) in kinds.sorted(by: { $0.key < $1.key }) {
            if let reason = kind.reason {
                lines.append(kind.concurrency.map { "\(name): \($0) at a time, \(reason)" } ?? "\(name): \(reason)")
            }
            if let block = kind.blocked {
                lines.append("\(name): job \(block.job) held a thread of other jobs for \(span(block.ms))")
            }
            if kind.moved == true { lines.append("\(name): runs on threads of its own now, because it blocks") }
        }
        if let lagMs, lagMs >= Self.lag { lines.append("a task waits \(span(lagMs)) for a thread") }
        return lines
    }

    /// From here on, in milliseconds, one sees it in what jobs do.
    private static let lag = 100

    private func span(_ milliseconds: Int) -> String { RelativeTime.span(.milliseconds(milliseconds)) }
}
