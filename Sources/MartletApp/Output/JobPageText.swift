import MartletCore
import MartletStore

/// One job on a page, for a person.
struct JobPageText {
    private let detail: JobDetail
    private let now: Timestamp
    private let style: Style

    init(_ detail: JobDetail, now: Timestamp, style: Style) {
        self.detail = detail
        self.now = now
        self.style = style
    }

    var text: String {
        let job = detail.summary
        var text = "\(style.paint("job \(job.id)", .bold))  \(style.paint(job.state.rawValue, job.state.ink))\n"
        for (name, value) in facts { text += row(name, value) }
        text += row("args", SafeText.line(job.args.string))
        if let result = detail.result { text += row("result", SafeText.line(result.string)) }
        for error in detail.errors { text += block(error) }
        return text + timeline
    }

    private var facts: [(String, String)] {
        let job = detail.summary
        var facts = [
            ("kind", SafeText.line(job.kind)),
            ("queue", "\(SafeText.line(job.queue)), priority \(job.priority.rawValue)"),
            ("attempt", "\(job.attempt) of \(job.maxAttempts)"),
        ]
        if let timeout = detail.timeout { facts.append(("timeout", timeout.text)) }
        if let worker = job.worker { facts.append(("worker", SafeText.line(worker))) }
        if let lease = detail.lease { facts.append(("lease", lease.description)) }
        if detail.crashes > 0 { facts.append(("crashes", "\(detail.crashes)")) }
        if let startedAt = job.startedAt, let finishedAt = job.finishedAt, finishedAt >= startedAt {
            facts.append(("ran", RelativeTime.span(finishedAt - startedAt)))
        }
        return facts
    }

    private func row(_ name: String, _ value: String) -> String {
        "  \(style.paint(padded(name, 9), .dim)) \(value)\n"
    }

    private func block(_ error: AttemptError) -> String {
        var text = "\n  " + style.paint("attempt \(error.attempt) failed", .red)
        text += style.paint("  \(RelativeTime.text(error.at, now: now))", .dim) + "\n"
        text += indented("\(error.error.type): \(error.error.message)")
        // A short last line on standard error is the message already.
        var detail = error.error.detail ?? ""
        while detail.last?.isNewline == true { detail.removeLast() }
        if !error.error.message.hasSuffix(detail) { text += indented(detail) }
        return text
    }

    private func indented(_ block: String) -> String {
        SafeText.block(block).split(separator: "\n", omittingEmptySubsequences: false)
            .map { "    \($0)\n" }.joined()
    }

    private var timeline: String {
        var text = "\n"
        for event in Timeline.events(of: detail) {
            var line = padded(event.name.rawValue.replacing("_", with: " "), 15)
            if let attempt = event.attempt { line += "attempt \(attempt)" }
            if let worker = event.worker { line += " on \(SafeText.line(worker))" }
            // An attempt's error stands above, whole.
            if let message = event.message, event.name != .attemptFailed { line += SafeText.line(message) }
            let moment = event.at.rfc3339 + "  " + padded(RelativeTime.text(event.at, now: now), 12)
            while line.last == " " { line.removeLast() }
            text += "  \(style.paint(moment, .dim)) \(line)\n"
        }
        return text
    }

    private func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}
