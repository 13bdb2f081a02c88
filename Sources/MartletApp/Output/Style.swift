import MartletCore

/// Colours, or none.
package struct Style: Sendable {
    package enum Ink: String, Sendable {
        case plain = ""
        case bold = "1"
        case dim = "2"
        case red = "31"
        case green = "32"
        case yellow = "33"
        case blue = "34"
        case cyan = "36"
    }

    package let color: Bool

    package init(color: Bool) { self.color = color }

    package func paint(_ text: String, _ ink: Ink) -> String {
        color && ink != .plain && !text.isEmpty ? "\u{1B}[\(ink.rawValue)m\(text)\u{1B}[0m" : text
    }
}

extension JobState {
    var ink: Style.Ink {
        switch self {
        case .scheduled: .cyan
        case .available: .plain
        case .running: .blue
        case .retryable: .yellow
        case .completed: .green
        case .failed: .red
        case .cancelled: .dim
        }
    }
}
