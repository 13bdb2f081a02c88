import MartletCore

/// How far an import is, drawn over and over on one line of a terminal; nothing when errors go elsewhere.
struct ImportLine {
    private let outlet: Outlet
    private let clock = ContinuousClock()
    private var last: ContinuousClock.Instant?
    private static let interval = Duration.milliseconds(100)

    init(_ console: Console) { outlet = console.errors }

    mutating func show(_ progress: ImportProgress) {
        guard let terminal = outlet.terminal else { return }
        let now = clock.now
        if let last, now - last < Self.interval { return }
        last = now
        draw("\r\u{1B}[K" + TextWidth.cut(text(progress), to: terminal.width - 1))
    }

    func clear() {
        if last != nil { draw("\r\u{1B}[K") }
    }

    private func text(_ progress: ImportProgress) -> String {
        var parts = ["\(Counted.grouped(progress.enqueued)) enqueued"]
        if let total = progress.totalBytes, total > 0 {
            parts.insert(Self.bar(Double(progress.bytes) / Double(total)), at: 0)
        }
        if progress.seconds > 0 { parts.append("\(Counted.grouped(Int(Double(progress.enqueued) / progress.seconds)))/s") }
        return parts.joined(separator: " · ")
    }

    private static func bar(_ share: Double) -> String {
        let width = 24
        let full = min(width, max(0, Int(share * Double(width))))
        return String(repeating: "█", count: full) + String(repeating: "░", count: width - full)
            + " \(min(100, max(0, Int(share * 100))))%"
    }

    /// A progress line that cannot be drawn is no reason to stop an import: the end is reported, or fails, by itself.
    private func draw(_ text: String) {
        do {
            try outlet.write(text)
        } catch {
            return
        }
    }
}
