import MartletCore

/// Thrown by a run: not now. The job runs again after the delay, and no attempt is charged.
public struct Snooze: Error, Sendable {
    public let delay: Duration

    public init(for delay: Duration) { self.delay = delay }
}

/// Thrown by a run: never again. The job ends as failed, with this reason, and with the place where this was made.
public struct Discard: Error, Sendable {
    public let reason: String
    public let cause: (any Error)?
    let place: SourcePlace

    public init(_ reason: String, cause: (any Error)? = nil, file: String = #fileID, line: Int = #line) {
        self.reason = reason
        self.cause = cause
        place = SourcePlace(file: file, line: line)
    }
}

/// Thrown by a run: this attempt failed, and the next one is due after a delay of the run's own choice.
public struct Retry: Error, Sendable {
    public let delay: Duration
    public let reason: String
    public let cause: (any Error)?
    let place: SourcePlace

    public init(
        after delay: Duration, _ reason: String, cause: (any Error)? = nil, file: String = #fileID, line: Int = #line
    ) {
        self.delay = delay
        self.reason = reason
        self.cause = cause
        place = SourcePlace(file: file, line: line)
    }
}

/// Thrown by a run: this attempt failed, for a reason that is kept with the place where this was made and with what caused it.
///
/// Any error fails an attempt. This one says more, and groups by its `type` where one is given.
public struct JobFailure: Error, Sendable {
    /// By which failures are grouped, beside their message.
    public let type: String
    public let message: String
    public let cause: (any Error)?
    let place: SourcePlace

    public init(
        _ message: String, type: String = "JobFailure", cause: (any Error)? = nil, file: String = #fileID, line: Int = #line
    ) {
        self.type = type
        self.message = message
        self.cause = cause
        place = SourcePlace(file: file, line: line)
    }
}

/// Where in a program something was made.
struct SourcePlace: Sendable, CustomStringConvertible {
    let file: String
    let line: Int

    var description: String { "at \(file):\(line)" }
}
