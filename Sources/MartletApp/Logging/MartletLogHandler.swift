import Logging
import MartletCore

/// swift-log's lines in our two formats.
struct MartletLogHandler: LogHandler {
    let sink: LogSink
    let format: LogFormat
    let style: Style
    let now: @Sendable () -> Timestamp
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?

    init(
        sink: LogSink, format: LogFormat, style: Style, level: Logger.Level, now: @escaping @Sendable () -> Timestamp
    ) {
        self.sink = sink
        self.format = format
        self.style = style
        self.logLevel = level
        self.now = now
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { _, new in new } }
        if let own = event.metadata { all.merge(own) { _, new in new } }
        if let error = event.error { all["error"] = "\(error)" }
        let sorted = all.map { (key: $0.key, value: "\($0.value)") }.sorted { Self.rank($0.key) < Self.rank($1.key) }
        sink.write(
            format.line(at: now(), level: event.level, message: event.message.description, metadata: sorted, style: style))
    }

    /// Which job, first; then what a reader looks for next; the rest by name.
    private static func rank(_ key: String) -> (Int, String) {
        (["kind", "job", "id", "attempt", "error"].firstIndex(of: key) ?? .max, key)
    }
}
