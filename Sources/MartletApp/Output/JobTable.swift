import MartletCore
import MartletStore

/// A listing of jobs for a person.
struct JobTable {
    private var table = Table(
        ("ID", .right), ("STATE", .left), ("KIND", .left), ("QUEUE", .left), ("TRY", .right), ("WHEN", .left),
        ("ERROR OR ARGS", .left))
    private let now: Timestamp

    init(now: Timestamp) { self.now = now }

    var isEmpty: Bool { table.isEmpty }

    mutating func add(_ job: JobSummary) {
        table.add([
            .init(job.id.description),
            .init(job.cancelRequested ? "running (cancel requested)" : job.state.rawValue, job.state.ink),
            .init(job.kind, .bold),
            .init(job.queue),
            .init("\(job.attempt)/\(job.maxAttempts)", .dim),
            .init(RelativeTime.text(moment(of: job), now: now)),
            detail(of: job),
        ])
    }

    func rendered(on stream: Outlet) -> String { table.rendered(on: stream) }

    /// The time that matters in the job's state: when it ended, began, is due, or came.
    private func moment(of job: JobSummary) -> Timestamp {
        switch job.state {
        case .scheduled, .retryable: job.runAt ?? job.enqueuedAt
        case .available: job.enqueuedAt
        case .running: job.startedAt ?? job.enqueuedAt
        case .completed, .failed, .cancelled: job.finishedAt ?? job.enqueuedAt
        }
    }

    private func detail(of job: JobSummary) -> Table.Cell {
        switch job.state {
        case .failed, .retryable:
            if let error = job.error?.error { return .init("\(error.type): \(error.message)", .red) }
        case .running:
            if let progress = job.progress { return .init(progress.text, .cyan) }
        case .scheduled, .available, .completed, .cancelled:
            break
        }
        // Enough for the widest terminal; args may be large.
        return .init(String(decoding: job.args.utf8.prefix(600), as: UTF8.self), .dim)
    }
}
