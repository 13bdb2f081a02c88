/// What one attempt took of the machine, as far as that is known: of a child process the kernel knows it exactly, of a
/// coroutine nobody does.
public struct Usage: Sendable, Equatable {
    /// Largest resident memory of any process of the attempt, in bytes.
    public var peakMemory: Int?
    /// Processor time, user and system, of all processes of the attempt.
    public var processorTime: Duration?
    /// How long it held a thread that other handlers waited for.
    public var blocked: Duration?

    public init(peakMemory: Int? = nil, processorTime: Duration? = nil, blocked: Duration? = nil) {
        self.peakMemory = peakMemory
        self.processorTime = processorTime
        self.blocked = blocked
    }
}
