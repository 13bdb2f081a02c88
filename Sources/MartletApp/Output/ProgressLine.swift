import MartletCore

/// How far something is, drawn over and over on one line of a terminal; nothing when errors go elsewhere.
struct ProgressLine {
    private let outlet: Outlet
    private let clock = ContinuousClock()
    private var last: ContinuousClock.Instant?
    private static let interval = Duration.milliseconds(100)

    init(_ console: Console) { outlet = console.errors }

    mutating func show(_ text: @autoclosure () -> String) {
        guard let terminal = outlet.terminal else { return }
        let now = clock.now
        if let last, now - last < Self.interval { return }
        last = now
        draw("\r\u{1B}[K" + TextWidth.cut(text(), to: terminal.width - 1))
    }

    mutating func clear() {
        if last != nil { draw("\r\u{1B}[K") }
        last = nil
    }

    /// A line that cannot be drawn is no reason to stop what it tells of: the end is reported, or fails, by itself.
    private func draw(_ text: String) {
        do {
            try outlet.write(text)
        } catch {
            return
        }
    }
}
