import Logging
import MartletCore
import MartletStore
import MartletWorker
import Testing

@testable import MartletApp

@Suite struct LogFormatTests {
    private let now = Timestamp(microseconds: 1_700_000_000_123_000)

    private func logger(_ capture: Capture, _ format: LogFormat, level: Logger.Level = .debug) -> (Logger, LogSink) {
        let sink = LogSink(stream: capture.stream(nil))
        let now = now
        let handler = MartletLogHandler(
            sink: sink, format: format, style: Style(color: false), level: level, now: { now })
        return (Logger(label: "test") { _ in handler }, sink)
    }

    @Test func `a line of JSON has time, level, message and then what belongs to it`() {
        let capture = Capture()
        let (logger, sink) = logger(capture, .json)
        logger.warning("job \"failed\"", metadata: ["jobID": "7", "note": "a\nb", "kind": "resize", "level": "high"])
        sink.flush()
        #expect(
            capture.text
                == #"{"ts":"2023-11-14T22:13:20.123Z","level":"warning","message":"job \"failed\"","kind":"resize","job_id":7,"level_":"high","note":"a\nb"}"#
                + "\n")
    }

    @Test func `a line of text is short and harmless`() {
        let capture = Capture()
        let (logger, sink) = logger(capture, .text)
        logger.info("hello", metadata: ["kind": "resize", "error": "exit: no \u{1B}[31m file"])
        sink.flush()
        #expect(capture.text == "22:13:20.123 info  hello kind=resize error=\"exit: no \\u{1B}[31m file\"\n")
        #expect(!capture.text.contains("\u{1B}"))
    }

    @Test func `a reader that stands still costs lines, not the worker`() {
        let capture = Capture()
        let open = Gate()
        let sink = LogSink(
            stream: Outlet(terminal: nil) { bytes throws(OutputClosed) in
                open.wait()
                try capture.stream(nil).write(bytes)
            })
        let line = [UInt8](repeating: UInt8(ascii: "x"), count: 1_023) + [UInt8(ascii: "\n")]
        for _ in 0..<3_000 { sink.write(line) }
        open.open()
        sink.flush()
        let lines = capture.text.split(separator: "\n")
        #expect(lines.count < 3_000)
        #expect(lines.contains { $0.contains("log lines dropped") })
    }

    @Test func `what a person has named is text in JSON, also when it looks like a number`() {
        let line = LogFormat.json.line(
            at: Timestamp(microseconds: 0), level: .info, message: "m",
            metadata: [(key: "kind", value: "500"), (key: "worker", value: "7"), (key: "job", value: "42")],
            style: Style(color: false))
        let text = String(decoding: line, as: UTF8.self)
        #expect(text.contains(#""kind":"500""#) && text.contains(#""worker":"7""#) && text.contains(#""job":42"#), "\(text)")
    }
}
