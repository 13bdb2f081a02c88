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
        var text = "\(style.paint("job \(job.id)", .bold))  \(style.paint(job.state.rawValue, job.state.ink))"
        text += job.cancelRequested ? " (cancel requested)\n" : "\n"
        for (name, value) in facts { text += row(name, value) }
        text += row("args", whole(job.args))
        if let result = detail.result { text += row("result", whole(result)) }
        for error in detail.errors { text += block(error) }
        if !detail.usage.isEmpty { text += "\n" + detail.usage.map(took).joined() }
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
        if let expiry = detail.expiry { facts.append(("expires", text(of: expiry))) }
        if let worker = job.worker { facts.append(("worker", SafeText.line(worker))) }
        if let lease = detail.lease { facts.append(("lease", lease.description)) }
        if detail.crashes > 0 { facts.append(("crashes", "\(detail.crashes)")) }
        if let progress = job.progress {
            let age = RelativeTime.text(progress.at, now: now)
            facts.append(("progress", "\(SafeText.line(progress.text)) (\(age))"))
        }
        if let startedAt = job.startedAt, let finishedAt = job.finishedAt, finishedAt >= startedAt {
            facts.append(("ran", RelativeTime.span(finishedAt - startedAt)))
        }
        return facts
    }

    private func text(of expiry: JobExpiry) -> String {
        let moment = "\(expiry.at.rfc3339), \(RelativeTime.text(expiry.at, now: now))"
        return expiry.isOver ? moment + ": too late, it fails when a worker comes to it" : moment
    }

    /// What an attempt took, where anything is known of it.
    private func took(_ attempt: AttemptUsage) -> String {
        var parts: [String] = []
        if let memory = attempt.usage.peakMemory { parts.append("\(ByteCount.text(memory)) at most") }
        if let time = attempt.usage.processorTime { parts.append("\(RelativeTime.span(time)) of processor time") }
        if let time = attempt.usage.blocked { parts.append("held a thread for \(RelativeTime.span(time))") }
        return "  " + style.paint("attempt \(attempt.attempt) took", .dim) + " " + parts.joined(separator: ", ") + "\n"
    }

    private func row(_ name: String, _ value: String) -> String {
        "  \(style.paint(padded(name, 9), .dim)) \(value)\n"
    }

    /// Bytes of args and of a result that a page shows.
    private static let valueBytes = 2_000
    /// Lines of standard error or of a trace, from the end, that a page shows for each attempt.
    private static let detailLines = 20

    private func whole(_ json: JSONText) -> String {
        let bytes = json.utf8.count
        guard bytes > Self.valueBytes else { return SafeText.line(json.string) }
        let head = CappedText.head(json.string, bytes: Self.valueBytes)
        return SafeText.line(head) + " … \(Counted.grouped(bytes)) bytes; --json shows all"
    }

    private func block(_ error: AttemptError) -> String {
        var text = "\n  " + style.paint(error.neverRan ? "not run" : "attempt \(error.attempt) failed", .red)
        text += style.paint("  \(RelativeTime.text(error.at, now: now))", .dim) + "\n"
        var lines = (error.error.detail ?? "").split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        while lines.last?.allSatisfy(\.isWhitespace) == true { lines.removeLast() }
        let (message, isAll) = Self.shortened(error.error.message, lines)
        text += indented("\(error.error.type): \(message)".split(separator: "\n", omittingEmptySubsequences: false))
        if isAll { return text }
        let above = lines.count - Self.detailLines
        if above > 0 { text += "    " + style.paint("… \(Counted.lines(above)) above; --json shows all", .dim) + "\n" }
        return text + indented(lines.suffix(Self.detailLines))
    }

    /// A command's message ends with the last line of its standard error, which stands below, unless it is the only one.
    /// - Returns: what is left to say before the detail, and whether that is everything.
    private static func shortened(_ message: String, _ detail: [Substring]) -> (message: String, isAll: Bool) {
        guard let last = detail.last else { return (message, true) }
        guard message.hasSuffix(": " + last) else { return (message, message.hasSuffix(last) && detail.count == 1) }
        return detail.count == 1 ? (message, true) : (String(message.dropLast(last.count + 2)), false)
    }

    private func indented(_ lines: some Sequence<Substring>) -> String {
        lines.map { $0.allSatisfy(\.isWhitespace) ? "\n" : "    \(SafeText.block(String($0)))\n" }.joined()
    }

    private var timeline: String {
        var text = "\n"
        for event in Timeline.events(of: detail) {
            var line = padded(event.name.rawValue.replacing("_", with: " "), 16)
            var parts: [String] = []
            if let attempt = event.attempt { parts.append("attempt \(attempt)") }
            if let worker = event.worker { parts.append("on \(SafeText.line(worker))") }
            // An attempt's error stands above, whole.
            if let message = event.message, event.name != .attemptFailed { parts.append(SafeText.line(message)) }
            line += parts.joined(separator: " ")
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
