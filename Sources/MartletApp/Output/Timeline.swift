import MartletCore
import MartletStore

/// A job's life in order, put together from what the store keeps of it.
enum Timeline {
    enum Name: String, Sendable {
        case enqueued
        /// When it is or was due.
        case due
        case started
        case attemptFailed = "attempt_failed"
        case snoozed
        /// Taken back from a worker that stopped, and charged to nobody.
        case givenBack = "given_back"
        /// By a person, after it had ended.
        case retried
        case completed, failed, cancelled
    }

    struct Event: Sendable, Equatable {
        let at: Timestamp
        let name: Name
        var attempt: Int?
        var worker: String?
        var message: String?
    }

    static func events(of detail: JobDetail) -> [Event] {
        var events = [Event(at: detail.summary.enqueuedAt, name: .enqueued)]
        events += life(of: detail).flatMap(\.events)
        if let end = ending(of: detail) { events.append(end) }
        if let runAt = dueTime(of: detail) {
            // Only this one is put in by its time. The others keep their order: starts are measured by workers and ends by
            // the database, and two clocks may disagree by more than a short run takes.
            let later = events.dropFirst().firstIndex { $0.at >= runAt } ?? events.endIndex
            events.insert(Event(at: runAt, name: .due), at: later)
        }
        return events
    }

    /// A run, with how it ended, or a person's retry.
    private struct Piece {
        let at: Timestamp
        let events: [Event]
    }

    /// Runs as the log knows them, with the errors they left; errors of runs that it has forgotten; and what people did.
    private static func life(of detail: JobDetail) -> [Piece] {
        let job = detail.summary
        let history = detail.history
        let starts = Set(history.runs.map(\.startedAt))
        var pieces = history.retries.map { Piece(at: $0, events: [Event(at: $0, name: .retried)]) }
        for run in history.runs {
            let error = detail.errors.first { $0.startedAt == run.startedAt }
            let isLast = run == history.runs.last && job.finishedAt != nil
            let end = error.map { failure($0) } ?? end(of: run, isLast: isLast)
            pieces.append(
                Piece(
                    at: run.startedAt,
                    events: [Event(at: run.startedAt, name: .started, attempt: run.attempt, worker: run.worker)]
                        + (end.map { [$0] } ?? [])))
        }
        for error in detail.errors where !error.neverRan && !(error.startedAt.map(starts.contains) ?? false) {
            let start = error.startedAt.map { at in
                Event(at: at, name: .started, attempt: error.attempt, worker: error.worker)
            }
            pieces.append(Piece(at: error.startedAt ?? error.at, events: (start.map { [$0] } ?? []) + [failure(error)]))
        }
        let isKnown = starts.contains { $0 == job.startedAt } || detail.errors.contains { $0.startedAt == job.startedAt }
        if let startedAt = job.startedAt, !isKnown {
            let start = Event(at: startedAt, name: .started, attempt: job.attempt, worker: job.worker)
            pieces.append(Piece(at: startedAt, events: [start]))
        }
        return pieces.sorted { $0.at < $1.at }
    }

    private static func failure(_ error: AttemptError) -> Event {
        Event(
            at: error.at, name: .attemptFailed, attempt: error.attempt, worker: error.worker,
            message: "\(error.error.type): \(error.error.message)")
    }

    /// Of a run that left no error. What ended the job for good stands at the end.
    private static func end(of run: JobRun, isLast: Bool) -> Event? {
        let name: Name? =
            switch run.outcome {
            case .running, .completed: nil
            case .cancelled: isLast ? nil : .cancelled
            case .snoozed: .snoozed
            case .givenBack, .lost: .givenBack
            case .retryable, .failed, .crashed: .attemptFailed
            }
        guard let name, let endedAt = run.endedAt else { return nil }
        return Event(at: endedAt, name: name, attempt: run.attempt, worker: run.worker)
    }

    /// When it is due, or was for its first attempt. The times at which later attempts were due are not kept.
    private static func dueTime(of detail: JobDetail) -> Timestamp? {
        switch detail.summary.state {
        case .scheduled, .retryable: detail.summary.runAt
        case .available, .running, .completed, .failed, .cancelled:
            detail.errors.isEmpty && detail.summary.attempt <= 1 ? detail.summary.runAt : nil
        }
    }

    private static func ending(of detail: JobDetail) -> Event? {
        guard let finishedAt = detail.summary.finishedAt else { return nil }
        switch detail.summary.state {
        case .completed:
            return Event(at: finishedAt, name: .completed, attempt: detail.summary.attempt, worker: detail.summary.worker)
        case .failed:
            return Event(at: finishedAt, name: .failed, message: detail.reason.map { text($0, detail.errors.last?.error) })
        case .cancelled:
            return Event(at: finishedAt, name: .cancelled)
        case .scheduled, .available, .running, .retryable:
            return nil
        }
    }

    private static func text(_ reason: FailureReason, _ error: JobError?) -> String {
        switch reason {
        case .exhausted: "no attempts left"
        // An answer to a call: the status of it, and no handler of anybody's.
        case .discarded where error?.type == "http": "not tried again after \(status(error))"
        case .discarded: "given up by its handler"
        case .crashed: "it ended the process that ran it, \(Limits.crashes) times"
        case .expired: "too late to be run"
        }
    }
}

extension Timeline {
    /// `404 Not Found from GET https://…: no such user` begins with it.
    private static func status(_ error: JobError?) -> String {
        let message = error?.message ?? ""
        return message.firstRange(of: " from ").map { String(message[..<$0.lowerBound]) } ?? message
    }
}

extension AttemptError {
    /// It was too late for the job, and no handler saw it.
    var neverRan: Bool { startedAt == nil && error.type == "expired" }
}
