import Logging

/// A line of a handler's log on its way from the child to the worker, whose log it becomes part of.
struct RemoteLine {
    let level: Logger.Level
    let message: String
    let metadata: [(key: String, value: String)]
    let source: String
    let file: String
    let function: String
    let line: UInt

    var frame: Frame {
        var frame = Frame(.log)
        frame.write(level.rawValue)
        frame.write(message)
        frame.write(source)
        frame.write(file)
        frame.write(function)
        frame.write(Int(line))
        frame.write(metadata.count)
        for (key, value) in metadata {
            frame.write(key)
            frame.write(value)
        }
        return frame
    }

    init(_ frame: inout FrameReader) throws(FrameReader.Malformed) {
        level = Logger.Level(rawValue: try frame.text()) ?? .info
        message = try frame.text()
        source = try frame.text()
        file = try frame.text()
        function = try frame.text()
        line = UInt(clamping: try frame.integer())
        var metadata: [(key: String, value: String)] = []
        for _ in 0..<max(0, min(try frame.integer(), 1_000)) { metadata.append((try frame.text(), try frame.text())) }
        self.metadata = metadata
    }

    init(
        level: Logger.Level, message: String, metadata: [(key: String, value: String)], source: String, file: String,
        function: String, line: UInt
    ) {
        self.level = level
        self.message = message
        self.metadata = metadata
        self.source = source
        self.file = file
        self.function = function
        self.line = line
    }

    /// - Parameter logger: says which job it is about.
    func tell(_ logger: Logger) {
        var added = Logger.Metadata()
        for (key, value) in metadata { added[key] = "\(value)" }
        logger.log(
            level: level, "\(message)", metadata: added, source: source, file: file, function: function, line: line)
    }
}

/// The log of a handler in a child.
struct RemoteLogHandler: LogHandler {
    var metadata = Logger.Metadata()
    var logLevel: Logger.Level
    let send: @Sendable (Frame) -> Void

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// The worker says these itself.
    private static let known: Set<String> = ["job", "kind", "attempt"]

    func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        send(
            RemoteLine(
                level: event.level, message: event.message.description,
                metadata: all.filter { !Self.known.contains($0.key) }.map { ($0.key, "\($0.value)") },
                source: event.source, file: event.file, function: event.function, line: event.line
            ).frame)
    }
}
