import MartletCore
import MartletStore

extension WorkerReport {
    var memoryText: String { pair(memoryBytes, highestMemoryBytes, ByteCount.text) }

    var lagText: String { pair(lagMs, highestLagMs, span) }

    /// `resize (4)`: four at a time.
    func kindText(_ name: String) -> String { kinds[name]?.concurrency.map { "\(name) (\($0))" } ?? name }

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
        lines += [lossText(lostThreads, "coroutines"), lossText(lostBlockingThreads, "handlers that block")].compactMap(
            \.self)
        return lines
    }

    /// From here on, in milliseconds, one sees it in what jobs do.
    private static let lag = 100

    private func lossText(_ lost: Lost?, _ whose: String) -> String? {
        guard let lost else { return nil }
        let held = "\(lost.threads) of \(lost.of) threads for \(whose) are held by jobs that ignored their cancellation"
        return lost.threads < lost.of ? held : "\(held); nothing runs there until the worker is started again"
    }

    private func span(_ milliseconds: Int) -> String { RelativeTime.span(.milliseconds(milliseconds)) }

    private func pair(_ now: Int?, _ highest: Int?, _ text: (Int) -> String) -> String {
        guard let now else { return "-" }
        return highest.map { "\(text(now)) (\(text($0)))" } ?? text(now)
    }
}
