import Foundation
import MartletCore

/// One statement that adds a job, for the application's own database client to run in the application's own transaction:
/// the job is there exactly when everything else of that transaction is.
///
/// ```swift
/// let enqueue = try EnqueueStatement(Resize(file: "a.png"), queue: "images")
/// try await client.withTransaction { connection in   // PostgresNIO; any other client does as well
///     try await connection.query("insert into picture (file) values ('a.png')", logger: logger)
///     var bindings = PostgresBindings()
///     for parameter in enqueue.parameters { bindings.append(parameter) }
///     try await connection.query(PostgresQuery(unsafeSQL: enqueue.sql, binds: bindings), logger: logger)
/// }
/// ```
/// A statement may be run any number of times, and adds one job each time. Everything was checked when it was made.
public struct EnqueueStatement: Sendable, Equatable {
    /// Where the statement will run.
    public enum Dialect: Sendable, Equatable {
        /// The queue is in a schema of the application's PostgreSQL database. Answers with one row, the job's id as a `bigint`.
        case postgres(schema: String = "martlet")
        /// The queue is in the application's SQLite database. Answers with nothing; until the next statement that adds a job,
        /// `select position from martlet_counter` is the job's id.
        case sqlite
    }

    /// With `$1`, `$2` … on PostgreSQL and `?1`, `?2` … on SQLite.
    public let sql: String
    /// The values of these, all to be bound as text; the statement converts what is no text.
    public let parameters: [String]

    /// - Parameters:
    ///   - priority: 0, the most urgent, to 9.
    ///   - delay: due only then, counted by the database's clock from when the statement runs.
    ///   - time: due only then; not together with a delay.
    ///   - maxAttempts: 1 to 1 000; nil: as the kind says.
    ///   - timeout: longest time one run may take; nil: as the kind says.
    ///   - expires: not started after that; counted like the delay. Nil: never.
    /// - Throws: ``InvalidInput`` naming the field, or what the job's own encoding throws.
    public init<J: Job>(
        _ job: J, queue: String = "default", priority: Int = 5, in delay: Duration? = nil, at time: Timestamp? = nil,
        maxAttempts: Int? = nil, timeout: Duration? = nil, expires: NewJob.Expiry? = nil, for dialect: Dialect = .postgres()
    ) throws {
        self.init(
            try NewJob(
                kind: J.kind, args: JSONText(encoding: job, with: JSONEncoder()), queue: queue,
                priority: Priority(validating: priority), start: Client.start(delay: delay, time: time),
                maxAttempts: maxAttempts, timeout: timeout, expires: expires), for: dialect)
    }

    /// A job of any kind, also of one that no type of this program stands for.
    public init(_ job: NewJob, for dialect: Dialect = .postgres()) {
        switch dialect {
        case .postgres(let schema): self = .postgres(job, schema)
        case .sqlite: self = .sqlite(job)
        }
    }

    private init(sql: String, parameters: [String]) {
        self.sql = sql
        self.parameters = parameters
    }

    /// Each parameter is cast from text, so that a client that asks the server for their types sends text, too.
    private static func postgres(_ job: NewJob, _ schema: String) -> EnqueueStatement {
        var parameters = [job.kind, job.args.string]
        var arguments = ["$1::text", "$2::text"]
        func add(_ name: String, _ value: String, _ expression: (String) -> String) {
            parameters.append(value)
            arguments.append("\(name) => \(expression("$\(parameters.count)::text"))")
        }
        if job.queue != NewJob.defaultQueue { add("queue", job.queue) { $0 } }
        if job.priority != .default { add("priority", "\(job.priority.rawValue)") { "\($0)::int" } }
        switch job.start {
        case .now: break
        case .after(let delay):
            add("run_at", "\(delay.microseconds)") {
                "pg_catalog.clock_timestamp() + \($0)::bigint * interval '1 microsecond'"
            }
        case .at(let time):
            add("run_at", "\(time.microseconds)") {
                "'epoch'::timestamptz + \($0)::bigint * interval '1 microsecond'"
            }
        }
        if let attempts = job.maxAttempts { add("max_attempts", "\(attempts)") { "\($0)::int" } }
        if let timeout = job.timeout {
            add("timeout", "\(timeout.milliseconds)") { "\($0)::bigint * interval '1 millisecond'" }
        }
        switch job.expires {
        case nil: break
        case .after(let time)?:
            add("expires_at", "\(time.microseconds)") {
                "pg_catalog.clock_timestamp() + \($0)::bigint * interval '1 microsecond'"
            }
        case .at(let time)?:
            add("expires_at", "\(time.microseconds)") {
                "'epoch'::timestamptz + \($0)::bigint * interval '1 microsecond'"
            }
        }
        let quoted = "\"" + schema.replacing("\"", with: "\"\"") + "\""
        return EnqueueStatement(
            sql: "select \(quoted).enqueue(\(arguments.joined(separator: ", ")))", parameters: parameters)
    }

    private static func sqlite(_ job: NewJob) -> EnqueueStatement {
        var parameters = [job.kind, job.args.string]
        var columns = ["kind", "args"]
        var values = ["?1", "?2"]
        func add(_ column: String, _ value: String, _ expression: (String) -> String) {
            parameters.append(value)
            columns.append(column)
            values.append(expression("?\(parameters.count)"))
        }
        if job.queue != NewJob.defaultQueue { add("queue", job.queue) { $0 } }
        if job.priority != .default { add("priority", "\(job.priority.rawValue)") { "cast(\($0) as integer)" } }
        switch job.start {
        case .now: break
        case .after(let delay):
            add("run_at", "\(delay.microseconds)") {
                "cast((julianday('now') - 2440587.5) * 86400000000 as integer) + cast(\($0) as integer)"
            }
        case .at(let time):
            // The view takes a number this small for a mistake in the unit; and it is due anyway.
            if time > Timestamp(microseconds: 100_000_000_000_000) {
                add("run_at", "\(time.microseconds)") { "cast(\($0) as integer)" }
            }
        }
        if let attempts = job.maxAttempts { add("max_attempts", "\(attempts)") { "cast(\($0) as integer)" } }
        if let timeout = job.timeout { add("timeout_ms", "\(timeout.milliseconds)") { "cast(\($0) as integer)" } }
        switch job.expires {
        case nil: break
        case .after(let time)?:
            add("expires_at", "\(time.microseconds)") {
                "cast((julianday('now') - 2440587.5) * 86400000000 as integer) + cast(\($0) as integer)"
            }
        case .at(let time)?:
            // What is over is over; the view takes a number this small for a mistake in the unit.
            add("expires_at", "\(max(time.microseconds, 100_000_000_000_000))") { "cast(\($0) as integer)" }
        }
        return EnqueueStatement(
            sql:
                "insert into martlet_enqueue (\(columns.joined(separator: ", "))) "
                + "values (\(values.joined(separator: ", ")))",
            parameters: parameters)
    }
}
