import MartletCore
import MartletStore

/// What waits for the writer thread: a queue whose waiting part can be given up, decided apart from threads and clocks.
///
/// An operation is *waiting* until the writer has its turn and takes everything that has gathered as one group; from
/// then on it will be carried out, and only then can no deadline fail it.
struct CommitQueue<Operation> {
    private var waiting: [(operation: Operation, deadline: Int64)] = []
    private var isClosed = false

    /// - Returns: whether the writer sleeps and must be woken; nil when the queue is closed.
    mutating func add(_ operation: Operation, deadline: Int64) -> Bool? {
        guard !isClosed else { return nil }
        waiting.append((operation, deadline))
        return waiting.count == 1
    }

    var isEmpty: Bool { waiting.isEmpty }

    /// The next group, oldest first.
    mutating func take() -> [Operation] {
        let group = waiting.map(\.operation)
        waiting.removeAll(keepingCapacity: true)
        return group
    }

    /// Those whose time is over; they leave the queue.
    mutating func expire(now: Int64) -> [Operation] {
        let expired = waiting.filter { $0.deadline <= now }.map(\.operation)
        waiting.removeAll { $0.deadline <= now }
        return expired
    }

    /// What is waiting is still carried out; nothing more is let in.
    mutating func close() { isClosed = true }

    var isFinished: Bool { isClosed && waiting.isEmpty }
}
