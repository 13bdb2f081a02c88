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
    public var enqueuedAt: Timestamp { call.enqueuedAt }
    /// The fencing token: pass it on to systems that refuse a token lower than one they have seen, and a run that lost
    /// its lease cannot overwrite the work of the one that followed.
    public var lease: LeaseID { call.lease }
    /// Says with each line which job it is about.
    public var logger: Logger { call.logger }
}
