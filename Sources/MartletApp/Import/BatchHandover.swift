import Dispatch
import Synchronization

/// Passes batches from the reading thread, which blocks, to a task, which must not.
///
/// The thread asks for room before it reads the next batch. So at most two exist, one being stored and one being read
/// or waiting, however fast the source and however slow the store.
final class BatchHandover: Sendable {
    enum Message: Sendable {
        case batch(ImportBatch)
        case flaw(ImportFlaw)
        /// Always the last one: the thread has let go of the descriptor.
        case end
    }

    private struct State {
        var queue: [Message] = []
        var waiter: CheckedContinuation<Message, Never>?
        var stopped = false
    }

    private let state = Mutex(State())
    private let room = DispatchSemaphore(value: 0)

    init() { room.signal() }

    /// Called by the thread; blocks until the task has taken the batch before.
    /// - Returns: false when nothing more is wanted.
    func waitForRoom() -> Bool {
        room.wait()
        return state.withLock { !$0.stopped }
    }

    /// Called by the thread.
    func put(_ message: Message) {
        let waiter = state.withLock { state -> CheckedContinuation<Message, Never>? in
            defer { state.waiter = nil }
            if state.waiter == nil { state.queue.append(message) }
            return state.waiter
        }
        waiter?.resume(returning: message)
        if waiter != nil { room.signal() }
    }

    /// Called by the one task.
    func next() async -> Message {
        await withCheckedContinuation { continuation in
            let message = state.withLock { state -> Message? in
                if state.queue.isEmpty {
                    state.waiter = continuation
                    return nil
                }
                return state.queue.removeFirst()
            }
            if let message {
                continuation.resume(returning: message)
                room.signal()
            }
        }
    }

    /// From anywhere: the thread ends as soon as it looks.
    func stop() {
        state.withLock { $0.stopped = true }
        room.signal()
    }
}
