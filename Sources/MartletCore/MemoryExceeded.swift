/// The process had more memory than its worker was allowed, and the worker has ended in good order. What leaks is in the
/// program: it gets rid of it by being started again.
public struct MemoryExceeded: Error, Sendable, Equatable, CustomStringConvertible {
    /// Bytes.
    public let resident: Int
    public let limit: Int

    public init(resident: Int, limit: Int) {
        self.resident = resident
        self.limit = limit
    }

    public var description: String {
        "the worker ended because the process takes \(resident >> 20) MiB of memory, more than the \(limit >> 20) MiB allowed; "
            + "start it again"
    }
}
