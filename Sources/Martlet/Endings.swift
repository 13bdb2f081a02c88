import MartletCore

/// Thrown by a run: not now. The job runs again after the delay, and no attempt is charged.
public struct Snooze: Error, Sendable {
    public let delay: Duration

    public init(for delay: Duration) { self.delay = delay }
}

/// Thrown by a run: never again. The job ends as failed, with this reason.
public struct Discard: Error, Sendable {
    public let reason: String

    public init(_ reason: String) { self.reason = reason }
}

/// Thrown by a run: this attempt failed, and the next one is due after a delay of the run's own choice.
public struct Retry: Error, Sendable {
    public let delay: Duration
    public let reason: String

    public init(after delay: Duration, _ reason: String) {
        self.delay = delay
        self.reason = reason
    }
}
