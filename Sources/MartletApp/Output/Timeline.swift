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
        let job = detail.summary
        var events = [Event(at: job.enqueuedAt, name: .enqueued)]
        for error in detail.errors where !error.neverRan {
            if let startedAt = error.startedAt {
                events.append(Event(at: startedAt, name: .started, attempt: error.attempt, worker: error.worker))
            }
            events.append(
                Event(
                    at: error.at, name: .attemptFailed, attempt: error.attempt, worker: error.worker,
                    message: "\(error.error.type): \(error.error.message)"))
        }
        let known = detail.errors.contains { $0.attempt == job.attempt && $0.startedAt != nil }
        if let startedAt = job.startedAt, !known {
            events.append(Event(at: startedAt, name: .started, attempt: job.attempt, worker: job.worker))
        }
        if let end = ending(of: detail) { events.append(end) }
        if let runAt = dueTime(of: detail) {
            // Only this one is put in by its time. The others keep their order: starts are measured by workers and ends by
            // the database, and two clocks may disagree by more than a short run takes.
            let later = events.dropFirst().firstIndex { $0.at >= runAt } ?? events.endIndex
            events.insert(Event(at: runAt, name: .due), at: later)
        }
        return events
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
            return Event(at: finishedAt, name: .failed, message: detail.reason.map(text))
        case .cancelled:
            return Event(at: finishedAt, name: .cancelled)
        case .scheduled, .available, .running, .retryable:
            return nil
        }
    }

    private static func text(_ reason: FailureReason) -> String {
        switch reason {
        case .exhausted: "no attempts left"
        case .discarded: "given up by its handler"
        case .crashed: "it ended the process that ran it, \(Limits.crashes) times"
        case .expired: "too late to be run"
        }
    }
}

extension AttemptError {
    /// It was too late for the job, and no handler saw it.
    var neverRan: Bool { startedAt == nil && error.type == "expired" }
}
