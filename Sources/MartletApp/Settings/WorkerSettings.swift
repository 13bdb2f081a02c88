import MartletCore
import MartletWorker

/// What a worker runs with: options over the file, the file over defaults.
struct WorkerSettings: Sendable {
    let configuration: WorkerConfiguration
    let database: DatabaseURL
    let kinds: [KindSettings]

    /// - Throws: ``InvalidInput`` naming the option.
    init(_ options: WorkerOptions, _ file: WorkerFile, database: DatabaseURL) throws(InvalidInput) {
        let standard = WorkerConfiguration()
        configuration = WorkerConfiguration(
            name: try options.name.map { text throws(InvalidInput) in try Values.name(text, field: "--name") } ?? file.name,
            version: Version.current,
            queues: try options.queues.map { text throws(InvalidInput) in try Values.list(text, field: "--queues") }
                ?? file.queues,
            concurrency: try options.concurrency.map { text throws(InvalidInput) in
                try Values.integer(text, field: "--concurrency", in: WorkerRanges.concurrency)
            } ?? file.concurrency ?? standard.concurrency,
            lease: try Self.duration(options.lease, "--lease", WorkerRanges.lease) ?? file.lease ?? standard.lease,
            poll: try Self.duration(options.poll, "--poll", WorkerRanges.poll) ?? file.poll ?? standard.poll,
            grace: try Self.duration(options.grace, "--grace", WorkerRanges.grace) ?? file.grace ?? standard.grace,
            drain: options.drain,
            retention: file.retention)
        self.database = database
        kinds = file.kinds
    }

    private static func duration(
        _ text: String?, _ field: String, _ range: ClosedRange<Duration>
    ) throws(InvalidInput) -> Duration? {
        guard let text else { return nil }
        let duration = try Duration(parsing: text, field: field)
        guard range.contains(duration) else {
            throw InvalidInput(
                field: field, reason: "\(text) is out of range; \(range.lowerBound.text) to \(range.upperBound.text)")
        }
        return duration
    }
}
