import Logging
import MartletCore
import MartletStore

/// One run of one job.
///
/// It is in several frames of a run that waits, and there may be very many that do: so it holds little, and finds the rest in
/// what all runs of its lease have in common.
package struct HandlerCall: Sendable {
    /// What all runs of a worker have in common.
    struct Surroundings: Sendable {
        /// nil: nobody keeps what runs say of how far they are.
        var progress: (any ProgressSink)?
        var logger = Logger(label: "martlet")
    }

    /// What the runs of a lease have in common.
    final class Common: Sendable {
        let lease: Lease
        /// The index of the first job here, where that is not the whole lease.
        let first: Int
        /// For jobs that bring none of their own.
        let maxAttempts: Int
        let timeout: Duration?
        let surroundings: Surroundings

        init(lease: Lease, first: Int = 0, maxAttempts: Int, timeout: Duration?, _ surroundings: Surroundings) {
            self.lease = lease
            self.first = first
            self.maxAttempts = maxAttempts
            self.timeout = timeout
            self.surroundings = surroundings
        }

        convenience init(_ lease: Lease, of handler: Handler, _ surroundings: Surroundings) {
            self.init(lease: lease, maxAttempts: handler.retry.maxAttempts, timeout: handler.timeout, surroundings)
        }
    }

    private let common: Common
    /// The job's index in its lease.
    let index: Int
    private let startedAt: Moment

    init(_ common: Common, index: Int, startedAt: Moment) {
        self.common = common
        self.index = index
        self.startedAt = startedAt
    }

    package init(
        id: JobID, kind: String, queue: String, attempt: Int, maxAttempts: Int, lease: LeaseID, args: JSONText,
        enqueuedAt: Timestamp, timeout: Duration?, index: Int = 0, startedAt: Moment = .now,
        progress: (any ProgressSink)? = nil, logger: Logger
    ) {
        let job = LeasedJob(
            id: id, attempt: attempt, crashes: 0, maxAttempts: maxAttempts, timeout: timeout, enqueuedAt: enqueuedAt,
            args: args)
        let lease = Lease(id: lease, kind: kind, queue: queue, priority: .default, jobs: [job])
        let common = Common(
            lease: lease, first: index, maxAttempts: maxAttempts, timeout: timeout,
            Surroundings(progress: progress, logger: logger))
        self.init(common, index: index, startedAt: startedAt)
    }

    private var job: LeasedJob { common.lease.jobs[index - common.first] }

    package var id: JobID { job.id }
    package var kind: String { common.lease.kind }
    package var queue: String { common.lease.queue }
    /// From 1.
    package var attempt: Int { job.attempt }
    package var maxAttempts: Int { job.maxAttempts ?? common.maxAttempts }
    /// The fencing token: a later lease of the same job has a greater one.
    package var lease: LeaseID { common.lease.id }
    package var args: JSONText { job.args }
    package var enqueuedAt: Timestamp { job.enqueuedAt }
    package var timeout: Duration? { job.timeout ?? common.timeout }

    /// How many processes have ended under the job.
    var crashes: Int { job.crashes }

    /// Says how far the run is. Written now and then; the last counts.
    package func tell(fraction: Double?, note: String?) {
        common.surroundings.progress?.tell(self, fraction: fraction, note: note)
    }

    /// What is left of the timeout; nil: there is none.
    package var timeLeft: Duration? { timeout.map { startedAt + $0 - .now } }

    /// Says which job speaks. Made when asked for: most jobs never log, and its dictionary costs more than running a small job.
    package var logger: Logger {
        var logger = common.surroundings.logger
        logger[metadataKey: "job"] = "\(id)"
        logger[metadataKey: "kind"] = "\(kind)"
        logger[metadataKey: "attempt"] = "\(attempt)"
        return logger
    }
}
