import Logging
import MartletCore

enum LogFormat: String, Sendable, CaseIterable {
    case text, json

    func line(
        at: Timestamp, level: Logger.Level, message: String, metadata: [(key: String, value: String)], style: Style
    ) -> [UInt8] {
        switch self {
        case .json: json(at, level, message, metadata)
        case .text: Array(text(at, level, message, metadata, style).utf8)
        }
    }

    private func json(
        _ at: Timestamp, _ level: Logger.Level, _ message: String, _ metadata: [(key: String, value: String)]
    ) -> [UInt8] {
        var object = JSONWriter()
        object.field("ts", at)
        object.field("level", level.rawValue)
        object.field("message", message)
        for (key, value) in metadata {
            // Keys of ours keep their meaning.
            let name = ["ts", "level", "message"].contains(key) ? "\(key)_" : Self.snakeCase(key)
            // Ids and counts are numbers in JSON; only what reads back as it is written, and never what a person has named.
            if !Self.texts.contains(name), let number = Int64(value), String(number) == value {
                object.field(name, number)
            } else {
                object.field(name, value)
            }
        }
        return object.bytes + [UInt8(ascii: "\n")]
    }

    private static let texts: Set<String> = [
        "args", "error", "kind", "kinds", "mode", "path", "reason", "signal", "variable", "worker",
    ]

    private func text(
        _ at: Timestamp, _ level: Logger.Level, _ message: String, _ metadata: [(key: String, value: String)], _ style: Style
    ) -> String {
        // The time of the day is enough for somebody who watches.
        let clock = at.rfc3339.dropFirst(11).prefix(12)
        var line =
            "\(style.paint(String(clock), .dim)) \(style.paint(Self.word(level), Self.ink(level))) \(SafeText.line(message))"
        for (key, value) in metadata {
            let plain = value.allSatisfy { !$0.isWhitespace && $0 != "\"" } && !value.isEmpty
            line +=
                " " + style.paint("\(SafeText.line(key))=", .dim)
                + (plain ? SafeText.line(value) : SafeText.line(value.debugDescription))
        }
        return line + "\n"
    }

    private static func word(_ level: Logger.Level) -> String {
        switch level {
        case .trace: "trace"
        case .debug: "debug"
        case .info: "info "
        case .notice: "note "
        case .warning: "warn "
        case .error: "error"
        case .critical: "fatal"
        }
    }

    private static func ink(_ level: Logger.Level) -> Style.Ink {
        switch level {
        case .trace, .debug: .dim
        case .info: .green
        case .notice: .cyan
        case .warning: .yellow
        case .error, .critical: .red
        }
    }

    private static func snakeCase(_ key: String) -> String {
        var snake = ""
        var before: Character?
        for character in key {
            defer { before = character }
            if character.isUppercase {
                snake += (before?.isLowercase == true ? "_" : "") + character.lowercased()
            } else {
                snake.append(character == "-" || character == "." || character == " " ? "_" : character)
            }
        }
        return snake
    }
}
