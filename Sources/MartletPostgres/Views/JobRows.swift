import MartletCore
import MartletPQ
import MartletStore

/// One job, or a page of them, wherever they live: `find` and `list_jobs` in `migrations/`.
struct JobRows: Sendable {
    private let find: Statement
    private let list: Statement
    private let errors: Statement
    private let usage: Statement

    private static let columns = """
        j.cursor, j.id, j.kind, j.queue, j.priority, j.state, j.attempt, j.crashes, j.max_attempts, j.timeout_ms, j.enqueued_at,
        j.run_at, j.started_at, j.finished_at, j.worker, j.args, j.reason, j.lease
        """
    /// Asked only of running jobs, which have a lease.
    private static func cancelRequested(_ schema: String) -> String {
        """
        j.lease is not null and exists (
          select 1 from \(schema).cancel_request c join \(schema).lease l on l.id = c.lease
          where c.lease = j.lease and l.positions[c.index + 1] = j.cursor)
        """
    }
    private static let errorColumns = """
        e.attempt, e.max_attempts, e.type, e.message, e.detail, e.started_at, e.at, e.worker
        """

    init(_ place: Place) {
        let schema = place.quoted
        let lastError = """
            left join lateral (select * from \(schema).attempt_error e where e.job = j.id order by e.number desc limit 1) e on true
            """
        let progress = """
            left join lateral (
              select p.fraction, p.note, p.at from \(schema).lease l join \(schema).progress p on p.lease = l.id
                and p.index = array_position(l.positions, j.cursor) - 1
              where l.id = j.lease and l.noted) p on true
            """
        find = Statement(
            """
            select \(Self.columns), \(Self.errorColumns), \(Self.cancelRequested(schema)),
              p.fraction, p.note, p.at, j.expires_at, j.expires_at <= \(schema).clock(),
              (select value from \(schema).result r where r.job = j.id)
            from \(schema).find($1) j \(lastError) \(progress)
            """)
        list = Statement(
            """
            select \(Self.columns), \(Self.errorColumns), \(Self.cancelRequested(schema)), p.fraction, p.note, p.at
            from \(schema).list_jobs($1, $2, $3, $4, $5, $6, $7) j \(lastError) \(progress)
            order by j.cursor desc
            """)
        errors = Statement("select \(Self.errorColumns) from \(schema).attempt_error e where e.job = $1 order by e.number")
        usage = Statement(
            """
            select attempt, at, peak_memory, processor_us, blocked_us from \(schema).usage where job = $1 order by lease
            """)
    }

    func job(_ id: JobID, _ database: Database) async throws(StoreError) -> JobDetail? {
        let rows = try await database.read(find, [.int8(id.rawValue)])
        guard !rows.isEmpty else { return nil }
        let errors = try await database.read(errors, [.int8(id.rawValue)])
        let usage = try await database.read(usage, [.int8(id.rawValue)])
        let summary = try Self.summary(rows, 0, database.place)
        return JobDetail(
            summary: summary,
            reason: rows.optionalText(0, 16).flatMap(FailureReason.init(rawValue:)),
            lease: rows.optionalInt(0, 17).map { LeaseID(rawValue: $0) }, crashes: Int(rows.int(0, 7)),
            timeout: rows.optionalInt(0, 9).map { .milliseconds($0) },
            expiry: Self.timestamp(rows, 0, 30).map { JobExpiry(at: $0, isOver: summary.state.waits && rows.bool(0, 31)) },
            errors: (0..<errors.count).map { Self.error(errors, $0, from: 0) },
            usage: (0..<usage.count).map { Self.usage(usage, $0) },
            result: rows.optionalBytes(0, 32).map { JSONText(trusted: $0) })
    }

    func list(_ query: JobQuery, _ database: Database) async throws(StoreError) -> JobPage {
        let rows = try await database.read(
            list,
            [
                .text(query.state?.rawValue), .text(query.filter.kind), .text(query.filter.queue),
                .timestamptz(query.filter.since?.microseconds), .text(query.filter.fingerprint),
                .int8(query.after ?? .max), .int4(Int32(clamping: query.limit) + 1),
            ])
        var jobs: [JobSummary] = []
        for row in 0..<min(rows.count, query.limit) { jobs.append(try Self.summary(rows, row, database.place)) }
        return JobPage(jobs: jobs, next: rows.count > query.limit ? jobs.last?.cursor : nil)
    }

    private static func summary(_ rows: Rows, _ row: Int, _ place: Place) throws(StoreError) -> JobSummary {
        guard let state = JobState(rawValue: rows.text(row, 5)), let priority = Priority(rawValue: Int(rows.int(row, 4)))
        else {
            throw StoreError(.unusable, "\(place.shown): the queue's tables were changed by hand; run martlet doctor")
        }
        let error = rows.isNull(row, 18) ? nil : error(rows, row, from: 18)
        let attempt = Int(rows.int(row, 6))
        let maxAttempts = rows.optionalInt(row, 8).map(Int.init) ?? error?.maxAttempts ?? Limits.defaultMaxAttempts
        return JobSummary(
            id: JobID(rawValue: rows.int(row, 1)), kind: rows.text(row, 2), queue: rows.text(row, 3), priority: priority,
            state: state, attempt: attempt, maxAttempts: max(attempt, maxAttempts),
            enqueuedAt: Timestamp(microseconds: rows.timestamptz(row, 10)), runAt: timestamp(rows, row, 11),
            startedAt: timestamp(rows, row, 12), finishedAt: timestamp(rows, row, 13), worker: rows.optionalText(row, 14),
            args: JSONText(trusted: rows.bytes(row, 15)), error: error, cancelRequested: rows.bool(row, 26),
            progress: timestamp(rows, row, 29).map {
                ProgressReport(
                    fraction: rows.isNull(row, 27) ? nil : rows.float8(row, 27), note: rows.optionalText(row, 28), at: $0)
            },
            cursor: rows.int(row, 0))
    }

    private static func error(_ rows: Rows, _ row: Int, from column: Int) -> AttemptError {
        AttemptError(
            attempt: Int(rows.int(row, column)), maxAttempts: Int(rows.int(row, column + 1)),
            error: JobError(
                type: rows.text(row, column + 2), message: rows.text(row, column + 3),
                detail: rows.optionalText(row, column + 4)),
            startedAt: timestamp(rows, row, column + 5), at: Timestamp(microseconds: rows.timestamptz(row, column + 6)),
            worker: rows.optionalText(row, column + 7))
    }

    private static func usage(_ rows: Rows, _ row: Int) -> AttemptUsage {
        AttemptUsage(
            attempt: Int(rows.int(row, 0)), at: Timestamp(microseconds: rows.timestamptz(row, 1)),
            usage: Usage(
                peakMemory: rows.optionalInt(row, 2).map(Int.init),
                processorTime: rows.optionalInt(row, 3).map { .microseconds($0) },
                blocked: rows.optionalInt(row, 4).map { .microseconds($0) }))
    }

    private static func timestamp(_ rows: Rows, _ row: Int, _ column: Int) -> Timestamp? {
        rows.optionalTimestamptz(row, column).map(Timestamp.init(microseconds:))
    }
}
