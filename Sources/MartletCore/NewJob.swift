/// A job about to be enqueued. Made only from valid parts, so a store never has to look again.
public struct NewJob: Sendable, Equatable {
    /// When a job may first run.
    public enum Start: Sendable, Equatable {
        case now
        /// Counted by the database's clock, from the moment of the enqueue.
        case after(Duration)
        case at(Timestamp)
    }

    /// Until when a job may first or again be started. A run that has begun goes on.
    public enum Expiry: Sendable, Equatable {
        /// Counted by the database's clock, from the moment of the enqueue.
        case after(Duration)
        case at(Timestamp)
    }

    public let kind: String
    public let queue: String
    public let priority: Priority
    public private(set) var args: JSONText
    public let start: Start
    /// nil: as configured for the kind where it runs.
    public let maxAttempts: Int?
    /// nil: as configured for the kind where it runs.
    public let timeout: Duration?
    /// nil: it may start at any time.
    public let expires: Expiry?

    public static let defaultQueue = "default"

    /// - Throws: ``InvalidInput`` naming the first field that cannot be used.
    public init(
        kind: String,
        args: JSONText = .emptyObject,
        queue: String = NewJob.defaultQueue,
        priority: Priority = .default,
        start: Start = .now,
        maxAttempts: Int? = nil,
        timeout: Duration? = nil,
        expires: Expiry? = nil
    ) throws(InvalidInput) {
        try Name.validate(kind, field: "kind")
        try Name.validate(queue, field: "queue")
        try Self.validate(start)
        if let expires { try Self.validate(expires, start) }
        if let maxAttempts, !Limits.maxAttempts.contains(maxAttempts) {
            throw InvalidInput(
                field: "max_attempts",
                reason:
                    "\(maxAttempts) is out of range; \(Limits.maxAttempts.lowerBound) to \(Limits.maxAttempts.upperBound)")
        }
        if let timeout {
            guard timeout > .zero else { throw InvalidInput(field: "timeout", reason: "must be longer than nothing") }
            guard Limits.timeout.contains(timeout) else {
                throw InvalidInput(
                    field: "timeout",
                    reason: "is out of range; \(Limits.timeout.lowerBound.text) to \(Limits.timeout.upperBound.text)")
            }
        }
        self.kind = kind
        self.queue = queue
        self.priority = priority
        self.args = args
        self.start = start
        self.maxAttempts = maxAttempts
        self.timeout = timeout
        self.expires = expires
    }

    private static func validate(_ start: Start) throws(InvalidInput) {
        switch start {
        case .now: break
        case .after(let delay):
            guard delay >= .zero else { throw InvalidInput(field: "in", reason: "is negative") }
            guard delay <= Limits.scheduleAhead else { throw InvalidInput(field: "in", reason: "is more than ten years") }
        case .at(let time):
            guard Limits.scheduleAt.contains(time) else {
                throw InvalidInput(field: "at", reason: "is out of range; the years 1 to 9999")
            }
        }
    }

    private static func validate(_ expiry: Expiry, _ start: Start) throws(InvalidInput) {
        switch expiry {
        case .after(let time):
            guard time > .zero else { throw InvalidInput(field: "expires_in", reason: "must be longer than nothing") }
            guard time <= Limits.scheduleAhead else {
                throw InvalidInput(field: "expires_in", reason: "is more than ten years")
            }
            if case .after(let delay) = start, time <= delay {
                throw InvalidInput(field: "expires_in", reason: "is over before the job is due")
            }
        case .at(let time):
            guard Limits.scheduleAt.contains(time) else {
                throw InvalidInput(field: "expires_at", reason: "is out of range; the years 1 to 9999")
            }
            if case .at(let due) = start, time <= due {
                throw InvalidInput(field: "expires_at", reason: "is over before the job is due")
            }
        }
    }

    /// The same job with other args: for batches, whose common parts need to be looked at once.
    package func with(args: JSONText) -> NewJob {
        var copy = self
        copy.args = args
        return copy
    }
}
