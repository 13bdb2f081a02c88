import Foundation
import Logging
import MartletCore
import MartletWorker

/// What a run knows of itself.
public struct JobContext: Sendable {
    private let call: HandlerCall
    private let scope: RunScope

    init(_ call: HandlerCall, _ scope: RunScope) {
        self.call = call
        self.scope = scope
    }

    public var id: JobID { call.id }
    public var kind: String { call.kind }
    public var queue: String { call.queue }
    /// From 1.
    public var attempt: Int { call.attempt }
    public var maxAttempts: Int { call.maxAttempts }
    /// Longest time this run may take; nil: no limit.
    public var timeout: Duration? { call.timeout }
    /// What is left of ``timeout``, negative when it is over; nil: no limit.
    public var timeLeft: Duration? { call.timeLeft }
    /// When ``timeout`` is over and the run's task is cancelled; nil: no limit.
    public var deadline: ContinuousClock.Instant? { timeLeft.map { .now + $0 } }
    /// Whether the run is to stop: its time is over, a person cancelled it, the worker stops or has lost the lease. The same as
    /// `Task.isCancelled` in the run's own task.
    public var isCancelled: Bool { Task.isCancelled }
    /// - Throws: `CancellationError` when the run is to stop, which is the way to stop it: the worker knows why.
    public func checkCancellation() throws { try Task.checkCancellation() }
    public var enqueuedAt: Timestamp { call.enqueuedAt }
    /// The fencing token: pass it on to systems that refuse a token lower than one they have seen, and a run that lost
    /// its lease cannot overwrite the work of the one that followed.
    public var lease: LeaseID { call.lease }
    /// Says with each line which job it is about.
    public var logger: Logger { call.logger }

    // MARK: Progress

    /// Says how far the run is, for people who look at the job. Cheap: call it as often as you like, it is written about once a
    /// second and the last counts.
    /// - Parameters:
    ///   - fraction: 0 to 1.
    ///   - note: a line, cut to ``Limits/progressNoteBytes``.
    public func progress(_ fraction: Double, _ note: String? = nil) { call.tell(fraction: fraction, note: note) }

    /// The same for a run that does not know how much there is.
    public func progress(_ note: String) { call.tell(fraction: nil, note: note) }

    // MARK: Follow-ups

    /// Adds a job that is there exactly when this run is completed: both are written in one transaction. A run that throws, loses
    /// its lease or dies adds none; it runs again and says again what follows. For jobs that are to be there in any case, use a
    /// ``Client``.
    ///
    /// Delays and expiry are counted from that moment.
    /// - Throws: ``InvalidInput`` naming the field, also when there are too many or the run is over, or what the job's own encoding
    ///   throws.
    public func enqueue<J: Job>(
        _ job: J, queue: String = "default", priority: Int = 5, in delay: Duration? = nil, at time: Timestamp? = nil,
        maxAttempts: Int? = nil, timeout: Duration? = nil, expires: NewJob.Expiry? = nil
    ) throws {
        try scope.add([
            NewJob(
                kind: J.kind, args: JSONText(encoding: job, with: JSONEncoder()), queue: queue,
                priority: Priority(validating: priority), start: Client.start(delay: delay, time: time),
                maxAttempts: maxAttempts, timeout: timeout, expires: expires)
        ])
    }

    /// Adds jobs of any kinds in the same way.
    public func enqueue(_ jobs: [NewJob]) throws { try scope.add(jobs) }
}
