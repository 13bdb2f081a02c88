/// Where a job stands, in the words a person sees.
///
/// ```
/// scheduled ──due──▶ available ──claim──▶ running ──▶ completed
///                        ▲                  │  │
///                        └──due── retryable ◀┘  └───▶ failed | cancelled
/// ```
/// `completed`, `failed` and `cancelled` are final: only a person's explicit retry leaves them.
public enum JobState: String, Sendable, CaseIterable, Codable {
    /// Waits for its first run, or was snoozed, until a given time.
    case scheduled
    /// Waits for a free worker.
    case available
    /// A worker holds it under a lease.
    case running
    /// An attempt failed; waits for the next one.
    case retryable
    /// Ended well.
    case completed
    /// Ended badly: attempts used up, or given up by its handler.
    case failed
    /// Stopped by a person.
    case cancelled

    /// Nobody runs it now, and somebody will.
    public var waits: Bool {
        switch self {
        case .scheduled, .available, .retryable: true
        case .running, .completed, .failed, .cancelled: false
        }
    }

    public var isFinal: Bool {
        switch self {
        case .completed, .failed, .cancelled: true
        case .scheduled, .available, .running, .retryable: false
        }
    }
}
