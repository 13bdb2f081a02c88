import MartletCore
import MartletPQ
import MartletStore

/// One job, or a page of them, wherever they live: `find` and `list_jobs` in `migrations/`.
struct JobRows: Sendable {
    private let find: Statement
    private let result: Statement
    private let presence: Statement
    private let list: Statement
    private let errors: Statement
    private let usage: Statement
    private let history: Statement

    private static let columns = """
        j.cursor, j.id, j.kind, j.queue, j.priority, j.state, j.attempt, j.crashes, j.max_attempts, j.timeout_ms, j.enqueued_at,
        j.run_at, j.started_at, j.finished_at, j.worker, j.args, j.reason, j.lease
        """
    private static let errorColumns = """
        e.attempt, e.max_attempts, e.type, e.message, e.detail, e.started_at, e.at, e.worker
        """

    init(_ place: Place) {
        let schema = place.quoted
        // As little as possible: a session's first statement is planned with nothing in the server's caches, and that takes
        // longer than all the rest.
        find = Statement(
            """
            select \(Self.columns), j.expires_at, j.expires_at <= \(schema).clock() from \(schema).find($1) j
            """)
        result = Statement("select value from \(schema).result where job = $1")
        presence = Statement(
            """
            select exists (select 1 from \(schema).cancel_request c where c.lease = l.id and l.positions[c.index + 1] = $2),
              p.fraction, p.note, p.at
            from \(schema).lease l left join \(schema).progress p on l.noted and p.lease = l.id
              and p.index = array_position(l.positions, $2) - 1
            where l.id = $1
            """)
        list = Statement(
            """
            select \(Self.columns), \(Self.errorColumns),
              j.lease is not null and exists (
                select 1 from \(schema).cancel_request c join \(schema).lease l on l.id = c.lease
                where c.lease = j.lease and l.positions[c.index + 1] = j.cursor),
              p.fraction, p.note, p.at
            from \(schema).list_jobs($1, $2, $3, $4, $5, $6, $7) j
            left join lateral (select * from \(schema).attempt_error e where e.job = j.id order by e.number desc limit 1) e on true
            left join lateral (
              select p.fraction, p.note, p.at from \(schema).lease l join \(schema).progress p on p.lease = l.id
                and p.index = array_position(l.positions, j.cursor) - 1
              where l.id = j.lease and l.noted) p on true
            order by j.cursor desc
            """)
        errors = Statement("select \(Self.errorColumns) from \(schema).attempt_error e where e.job = $1 order by e.number")
        usage = Statement(
            """
            select attempt, at, peak_memory, processor_us, blocked_us from \(schema).usage where job = $1 order by lease
            """)
        history = Statement(
            """
            select run_at, is_known, attempt, ending, started_at, ended_at, worker from \(schema).history($1, $2)
            """)
    }

    func job(_ id: JobID, _ database: Database) async throws(StoreError) -> JobDetail? {
        let rows = try await database.read(find, [.int8(id.rawValue)])
        guard !rows.isEmpty else { return nil }
        let past = try await past(of: id, rows, database)
        let lease = rows.optionalInt(0, 17)
        let presence = try await presence(in: lease, rows.int(0, 0), database)
        let summary = try Self.summary(rows, 0, error: past.errors.last, presence, database.place)
        return JobDetail(
            summary: summary,
            reason: rows.optionalText(0, 16).flatMap(FailureReason.init(rawValue:)),
            lease: lease.map { LeaseID(rawValue: $0) }, crashes: Int(rows.int(0, 7)),
            timeout: rows.optionalInt(0, 9).map { .milliseconds($0) },
            expiry: Self.timestamp(rows, 0, 18).map { JobExpiry(at: $0, isOver: summary.state.waits && rows.bool(0, 19)) },
            errors: past.errors, usage: past.usage, history: past.history, result: past.result)
    }

    private struct Past {
        var errors: [AttemptError] = []
        var usage: [AttemptUsage] = []
        var history = JobHistory()
        var result: JSONText?
    }

    /// In one round trip, and without what such a job does not have: opening a table for the first time takes a new session half
    /// a millisecond.
    private func past(of id: JobID, _ rows: Rows, _ database: Database) async throws(StoreError) -> Past {
        let value = Value.int8(id.rawValue)
        let state = JobState(rawValue: rows.text(0, 5))
        // A job in its first entry in the log has run once at most, and what is known of that is known.
        let isFirst = rows.int(0, 0) == id.rawValue && (state == .available || state == .running || state == .completed)
        var steps: [Step] = []
        if !isFirst || state == .completed { steps += [Step(usage, [value]), Step(result, [value])] }
        if !isFirst { steps += [Step(errors, [value]), Step(history, [value, .int4(Int32(JobHistory.entries))])] }
        guard !steps.isEmpty else { return Past(history: Self.history(ofFirst: rows)) }
        let answers = try await database.read(steps)
        return Past(
            errors: isFirst ? [] : (0..<answers[2].count).map { Self.error(answers[2], $0, from: 0) },
            usage: (0..<answers[0].count).map { Self.usage(answers[0], $0) },
            history: isFirst ? Self.history(ofFirst: rows) : Self.history(answers[3]),
            result: answers[1].isEmpty ? nil : JSONText(trusted: answers[1].bytes(0, 0)))
    }

    /// As `history` would have it, of a job in its first entry.
    private static func history(ofFirst rows: Rows) -> JobHistory {
        var reader = JobHistory.Reader()
        let run = timestamp(rows, 0, 12).map { startedAt in
            JobRun(
                attempt: Int(rows.int(0, 6)), startedAt: startedAt, endedAt: timestamp(rows, 0, 13),
                worker: rows.optionalText(0, 14), outcome: rows.isNull(0, 13) ? .running : .completed)
        }
        reader.add(at: timestamp(rows, 0, 11), run: run, isKnown: run == nil)
        return reader.history
    }

    /// What is known only of jobs that run.
    private func presence(
        in lease: Int64?, _ cursor: Int64, _ database: Database
    ) async throws(StoreError) -> Presence {
        guard let lease else { return Presence() }
        let rows = try await database.read(presence, [.int8(lease), .int8(cursor)])
        return rows.isEmpty ? Presence() : Self.presence(rows, 0, from: 0)
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
        for row in 0..<min(rows.count, query.limit) {
            let error = rows.isNull(row, 18) ? nil : Self.error(rows, row, from: 18)
            jobs.append(try Self.summary(rows, row, error: error, Self.presence(rows, row, from: 26), database.place))
        }
        return JobPage(jobs: jobs, next: rows.count > query.limit ? jobs.last?.cursor : nil)
    }

    private static func summary(
        _ rows: Rows, _ row: Int, error: AttemptError?, _ presence: Presence, _ place: Place
    ) throws(StoreError) -> JobSummary {
        guard let state = JobState(rawValue: rows.text(row, 5)), let priority = Priority(rawValue: Int(rows.int(row, 4)))
        else {
            throw StoreError(.unusable, "\(place.shown): the queue's tables were changed by hand; run martlet doctor")
        }
        let attempt = Int(rows.int(row, 6))
        let maxAttempts = rows.optionalInt(row, 8).map(Int.init) ?? error?.maxAttempts
        return JobSummary(
            id: JobID(rawValue: rows.int(row, 1)), kind: rows.text(row, 2), queue: rows.text(row, 3), priority: priority,
            state: state, attempt: attempt, maxAttempts: maxAttempts.map { max(attempt, $0) },
            enqueuedAt: Timestamp(microseconds: rows.timestamptz(row, 10)), runAt: timestamp(rows, row, 11),
            startedAt: timestamp(rows, row, 12), finishedAt: timestamp(rows, row, 13), worker: rows.optionalText(row, 14),
            args: JSONText(trusted: rows.bytes(row, 15)), error: error, cancelRequested: presence.cancelRequested,
            progress: presence.progress, cursor: rows.int(row, 0))
    }

    private struct Presence {
        var cancelRequested = false
        var progress: ProgressReport?
    }

    private static func presence(_ rows: Rows, _ row: Int, from column: Int) -> Presence {
        Presence(
            cancelRequested: rows.bool(row, column),
            progress: timestamp(rows, row, column + 3).map {
                ProgressReport(
                    fraction: rows.isNull(row, column + 1) ? nil : rows.float8(row, column + 1),
                    note: rows.optionalText(row, column + 2), at: $0)
            })
    }

    private static func error(_ rows: Rows, _ row: Int, from column: Int) -> AttemptError {
        AttemptError(
            attempt: Int(rows.int(row, column)), maxAttempts: rows.optionalInt(row, column + 1).map(Int.init),
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

    private static func history(_ rows: Rows) -> JobHistory {
        var reader = JobHistory.Reader()
        for row in 0..<rows.count {
            reader.add(at: timestamp(rows, row, 0), run: run(rows, row), isKnown: rows.bool(row, 1))
        }
        return reader.history
    }

    private static func run(_ rows: Rows, _ row: Int) -> JobRun? {
        guard let startedAt = timestamp(rows, row, 4) else { return nil }
        // As `history` and `lease.endings` have it.
        let outcomes: [JobRun.Outcome] = [
            .running, .completed, .retryable, .snoozed, .failed, .cancelled, .givenBack, .crashed, .lost,
        ]
        return JobRun(
            attempt: Int(rows.int(row, 2)), startedAt: startedAt, endedAt: timestamp(rows, row, 5),
            worker: rows.optionalText(row, 6), outcome: outcomes[Int(rows.int(row, 3))])
    }

    private static func timestamp(_ rows: Rows, _ row: Int, _ column: Int) -> Timestamp? {
        rows.optionalTimestamptz(row, column).map(Timestamp.init(microseconds:))
    }
}
