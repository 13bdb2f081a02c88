import Glibc
import Logging
import MartletCore
import MartletWorker

/// The log of a worker process: where it goes, in which format, from which level on.
struct DaemonLog: Sendable {
    let sink: LogSink
    let logger: Logger
    /// A line at the bottom that shows how far a drain is: only beside text on a terminal.
    let showsProgress: Bool
    let style: Style

    init(_ options: WorkerOptions, _ console: Console) throws(InvalidInput) {
        let level = try Self.level(options.logLevel ?? "info")
        let format = try Self.format(options.logFormat ?? "auto", isTerminal: console.errors.terminal != nil)
        let sink = LogSink(stream: console.errors)
        let style = console.errors.style
        let handler = MartletLogHandler(sink: sink, format: format, style: style, level: level, now: console.now)
        self.sink = sink
        self.style = style
        logger = Logger(label: "martlet") { _ in handler }
        showsProgress = options.drain && format == .text && console.errors.terminal != nil
    }

    /// What may be meant, but rarely is.
    func warn(about kinds: [KindSettings], environment: [String: String]) {
        for kind in kinds {
            // What an HTTP call needs of the environment has to be there.
            guard case .command(let command) = kind.work else { continue }
            for name in command.passedEnvironment where environment[name] == nil {
                logger.warning(
                    "environment variable is not set", metadata: ["kind": "\(kind.kind)", "variable": "\(name)"])
            }
        }
    }

    /// At level info the worker itself is silent about jobs that went well, because in a program of somebody's own they may
    /// be a hundred thousand a second. Commands are few enough, and who starts a daemon wants to see it work.
    func tellSuccess(_ event: WorkerEvent) {
        guard logger.logLevel == .info, case .jobEnded(let kind, let id, let attempt, .completed, let ran) = event else {
            return
        }
        logger.info(
            "job completed",
            metadata: ["job": "\(id)", "kind": "\(kind)", "attempt": "\(attempt)", "ran_ms": "\(ran.milliseconds)"])
    }

    private static func level(_ text: String) throws(InvalidInput) -> Logger.Level {
        if let level = Logger.Level(rawValue: text) { return level }
        throw unknown(text, "--log-level", Logger.Level.allCases.map(\.rawValue))
    }

    private static func format(_ text: String, isTerminal: Bool) throws(InvalidInput) -> LogFormat {
        if text == "auto" { return isTerminal ? .text : .json }
        if let format = LogFormat(rawValue: text) { return format }
        throw unknown(text, "--log-format", ["auto"] + LogFormat.allCases.map(\.rawValue))
    }

    private static func unknown(_ text: String, _ field: String, _ known: [String]) -> InvalidInput {
        let hint =
            Suggestion.nearest(to: text, in: known).map { "did you mean \($0)?" }
            ?? "there is \(known.joined(separator: ", "))"
        return InvalidInput(field: field, reason: "\(text.debugDescription) is unknown; \(hint)")
    }
}
