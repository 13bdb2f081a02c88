import Logging
import MartletCore
import Synchronization
import Testing

@testable import MartletWorker

@Suite struct WorkerLogTests {
    /// What was logged.
    final class Lines: Sendable {
        struct Line: Sendable {
            let level: Logger.Level
            let message: String
            let metadata: Logger.Metadata
        }

        private let all = Mutex<[Line]>([])

        func append(_ line: Line) { all.withLock { $0.append(line) } }
        func first(_ message: String) -> Line? { all.withLock { $0.first { $0.message == message } } }
    }

    struct Recorder: LogHandler {
        let lines: Lines
        var logLevel = Logger.Level.info
        var metadata: Logger.Metadata = [:]

        init(_ lines: Lines) { self.lines = lines }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            lines.append(.init(level: event.level, message: "\(event.message)", metadata: event.metadata ?? [:]))
        }
    }

    private let lines = Lines()
    private var logger: Logger { Logger(label: "test") { _ in Recorder(lines) } }

    private func write(_ ending: Ending, ran: Duration = .zero) {
        WorkerLog(logger: logger).write(
            .jobEnded(kind: "k", id: JobID(rawValue: 1), attempt: 1, ending: ending, ran: ran))
    }

    @Test func `a failure to be tried again warns, a final one is an error`() {
        write(.retryable(boom, after: .seconds(2)))
        write(.failed(boom, .exhausted))
        #expect(lines.first("job failed, will be tried again")?.level == .warning)
        #expect(lines.first("job failed")?.level == .error)
    }

    @Test func `a snooze is seen, with its delay, by a worker that nobody observes`() async throws {
        let store = ScriptedStore()
        store.add(1, "sleepy")
        var configuration = WorkerConfiguration.quick
        configuration.drain = true
        let worker = WorkerService(
            store: store, handlers: [Handler(kind: "sleepy") { _ in .snooze(.seconds(5)) }], configuration: configuration,
            logger: logger)
        try await worker.run()
        let line = try #require(lines.first("job snoozed"))
        #expect(line.level == .info)
        #expect(line.metadata["again_in_ms"] == "5000")
        #expect(line.metadata["job"] == "1")
    }

    @Test(arguments: [.seconds(Int64.max) * 9, .seconds(Int64.min) * 9] as [Duration])
    func `durations without measure are written`(extreme: Duration) {
        write(.snoozed(extreme), ran: extreme)
        write(.retryable(boom, after: extreme), ran: extreme)
        #expect(lines.first("job snoozed")?.metadata["ran_ms"] == "\(extreme.milliseconds)")
    }
}
