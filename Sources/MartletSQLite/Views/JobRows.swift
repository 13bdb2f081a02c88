import GRDB
import MartletCore
import MartletStore

/// What a listing knows of a job from the place where it lives, before its last error is looked up.
struct JobRow {
    var id: JobID
    var cursor: Int64
    var lane: Int64
    var state: JobState
    var attempt: Int
    var crashes: Int
    var maxAttempts: Int?
    var timeout: Duration?
    var expiresAt: Timestamp?
    var enqueuedAt: Timestamp
    var runAt: Timestamp?
    var startedAt: Timestamp?
    var finishedAt: Timestamp?
    var worker: String?
    var args: JSONText
    var reason: FailureReason?
    var lease: LeaseID?
    /// In the lease.
    var index: Int?

    static let logColumns =
        "position, coalesce(id, position), lane, attempt, crashes, max_attempts, timeout_ms, expires_at, enqueued_at, run_at, args"
    static let delayedColumns =
        "id, id, lane, attempt, crashes, max_attempts, timeout_ms, expires_at, enqueued_at, run_at, args, state"
    static let failedColumns =
        delayedColumns + ", reason, started_at, finished_at, worker"

    /// An entry of the log that waits; a lease says the rest when there is one.
    init(log row: borrowing SQLStatement) {
        self.init(common: row, state: .available)
    }

    init(delayed row: borrowing SQLStatement) {
        self.init(common: row, state: Delayed.state(row.text(11)))
    }

    init(failed row: borrowing SQLStatement) {
        self.init(common: row, state: JobState(rawValue: row.text(11)) ?? .failed)
        reason = row.optionalText(12).flatMap(FailureReason.init(rawValue:))
        startedAt = row.optionalInt(13).map(Timestamp.init(microseconds:))
        finishedAt = row.optionalInt(14).map(Timestamp.init(microseconds:))
        worker = row.optionalText(15)
    }

    private init(common row: borrowing SQLStatement, state: JobState) {
        cursor = row.int(0)
        id = JobID(rawValue: row.int(1))
        lane = row.int(2)
        attempt = row.count(3)
        crashes = row.count(4)
        maxAttempts = row.optionalInt(5).map(Int.init)
        timeout = row.optionalInt(6).map { .milliseconds($0) }
        expiresAt = row.optionalInt(7).map(Timestamp.init(microseconds:))
        enqueuedAt = Timestamp(microseconds: row.int(8))
        runAt = row.optionalInt(9).map(Timestamp.init(microseconds:))
        args = JSONText(trusted: row.bytes(10))
        self.state = state
    }

    /// What the lease adds. Nil when the job lives elsewhere by now.
    func leased(_ lease: OpenLease, index: Int, isRevoked: Bool) -> JobRow? {
        var row = self
        switch lease.marks[index] {
        case .open:
            guard !isRevoked else { return nil }
            row.state = .running
            row.startedAt = lease.claimedAt
            row.lease = lease.id
            row.index = index
        case .completed:
            row.state = .completed
            row.startedAt = lease.claimedAt + lease.marks.waited(index)
            row.finishedAt = row.startedAt! + lease.marks.ran(index)
        case .retryable, .snoozed, .crashed, .failed, .cancelled, .givenBack:
            return nil
        }
        row.attempt += 1
        row.worker = lease.worker
        return row
    }

    func summary(_ lanes: [Int64: LaneKey], lastError: AttemptError?, _ db: Database) throws -> JobSummary {
        guard let lane = lanes[lane], let priority = Priority(rawValue: lane.priority) else {
            throw StoreError.damaged("job \(id) belongs to no lane")
        }
        return JobSummary(
            id: id, kind: lane.kind, queue: lane.queue, priority: priority, state: state, attempt: attempt,
            maxAttempts: max(attempt, maxAttempts ?? lastError?.maxAttempts ?? Limits.defaultMaxAttempts),
            enqueuedAt: enqueuedAt, runAt: runAt, startedAt: startedAt, finishedAt: finishedAt, worker: worker, args: args,
            error: lastError, cancelRequested: try isCancelRequested(db), progress: try progress(db), cursor: cursor)
    }

    func expiry(now: Timestamp) -> JobExpiry? {
        expiresAt.map { JobExpiry(at: $0, isOver: state.waits && $0 <= now) }
    }

    private func progress(_ db: Database) throws -> ProgressReport? {
        guard let lease, let index else { return nil }
        return try Report.last(lease, index: index, db)
    }

    private func isCancelRequested(_ db: Database) throws -> Bool {
        guard let lease, let index else { return false }
        return try db.first(
            "select 1 from martlet_cancel_request where lease = ? and idx = ?", .int(lease.rawValue), .int(index)
        ) { _ in true } ?? false
    }
}

/// What is kept of each attempt beside the job, and goes with it.
enum Attempts {
    static func remove(of job: JobID, _ db: Database) throws {
        try db.run("delete from martlet_attempt_error where job = ?", .int(job.rawValue))
        try db.run("delete from martlet_usage where job = ?", .int(job.rawValue))
    }

    static func usage(_ job: JobID, _ db: Database) throws -> [AttemptUsage] {
        try db.rows(
            """
            select attempt, at, peak_memory, processor_us, blocked_us from martlet_usage where job = ? order by lease
            """, .int(job.rawValue)
        ) { row in
            AttemptUsage(
                attempt: row.count(0), at: Timestamp(microseconds: row.int(1)),
                usage: Usage(
                    peakMemory: row.optionalInt(2).map(Int.init),
                    processorTime: row.optionalInt(3).map { .microseconds($0) },
                    blocked: row.optionalInt(4).map { .microseconds($0) }))
        }
    }
}

enum AttemptErrors {
    static func all(_ job: JobID, _ db: Database) throws -> [AttemptError] {
        try db.rows("\(select) where job = ? order by number", .int(job.rawValue), read: read)
    }

    static func last(_ job: JobID, _ db: Database) throws -> AttemptError? {
        try db.first("\(select) where job = ? order by number desc limit 1", .int(job.rawValue), read: read)
    }

    private static let select =
        "select attempt, max_attempts, type, message, detail, started_at, at, worker from martlet_attempt_error"

    private static func read(_ row: borrowing SQLStatement) -> AttemptError {
        AttemptError(
            attempt: row.count(0), maxAttempts: row.count(1),
            error: JobError(type: row.text(2), message: row.text(3), detail: row.optionalText(4)),
            startedAt: row.optionalInt(5).map(Timestamp.init(microseconds:)), at: Timestamp(microseconds: row.int(6)),
            worker: row.optionalText(7))
    }
}
