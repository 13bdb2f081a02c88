import Logging
import MartletCore
import MartletWorker

/// What a run knows of itself.
public struct JobContext: Sendable {
    private let call: HandlerCall

    init(_ call: HandlerCall) { self.call = call }

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
}
