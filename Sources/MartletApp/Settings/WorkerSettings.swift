import MartletCore
import MartletWorker

/// What a worker runs with: options over the file, the file over defaults.
struct WorkerSettings: Sendable {
    let configuration: WorkerConfiguration
    let database: DatabaseURL
    /// Nil: the database's own address.
    let listening: PostgresAddress?
    let kinds: [KindSettings]

    /// - Throws: ``InvalidInput`` naming the option.
    init(
        _ options: WorkerOptions, _ file: WorkerFile, database: DatabaseURL, environment: [String: String]
    ) throws(InvalidInput) {
        let standard = WorkerConfiguration()
        let total =
            try Values.integer(options.concurrency, field: "--concurrency", in: WorkerRanges.concurrency) ?? file.concurrency
        configuration = WorkerConfiguration(
            name: try options.name.map { text throws(InvalidInput) in try Values.name(text, field: "--name") } ?? file.name,
            version: Version.current,
            queues: try options.queues.map { text throws(InvalidInput) in try Values.list(text, field: "--queues") }
                ?? file.queues,
            concurrency: total ?? file.kinds.reduce(standard.concurrency) { $0 + $1.room },
            blockingThreads: file.blockingThreads ?? standard.blockingThreads,
            lease: try Values.duration(options.lease, field: "--lease", in: WorkerRanges.lease) ?? file.lease
                ?? standard.lease,
            poll: try Values.duration(options.poll, field: "--poll", in: WorkerRanges.poll) ?? file.poll ?? standard.poll,
            grace: try Values.duration(options.grace, field: "--grace", in: WorkerRanges.grace) ?? file.grace
                ?? standard.grace,
            maxMemory: file.maxMemory,
            drain: options.drain,
            retention: file.retention, redaction: Redaction(keys: Redaction.defaultKeys.union(file.redact)))
        self.database = database
        listening = try Self.listening(options, file, database, environment)
        // The room that auto brings along is its own.
        let others = total == nil && file.kinds.contains { $0.adapts } ? standard.concurrency : nil
        kinds = file.kinds.map { $0.adapts ? $0.atMost($0.room) : $0.atMost(others) }
    }

    /// The variable and the file may be there for another database; the option is meant.
    private static func listening(
        _ options: WorkerOptions, _ file: WorkerFile, _ database: DatabaseURL, _ environment: [String: String]
    ) throws(InvalidInput) -> PostgresAddress? {
        func address(_ text: String, _ field: String) throws(InvalidInput) -> PostgresAddress {
            try DatabaseURL(parsing: text, field: field).listening(field: field)
        }
        switch database {
        case .sqlite:
            guard options.listenDatabase == nil else {
                throw InvalidInput(field: "--listen-database", reason: "is for PostgreSQL; an SQLite file is watched")
            }
            return nil
        case .postgres:
            if let text = options.listenDatabase { return try address(text, "--listen-database") }
            if let text = environment[DatabaseURL.listenVariable], !text.isEmpty {
                return try address(text, DatabaseURL.listenVariable)
            }
            return file.listening
        }
    }
}
