import Synchronization

/// One runner and what it has in hand.
final class Slot: Sendable {
    private struct Runner {
        var task: Task<Void, Never>?
        var isCancelled = false
    }

    let number: Int
    let state: Mutex<SlotState>
    private let runner = Mutex(Runner())

    init(number: Int, work: Work) {
        self.number = number
        state = Mutex(SlotState(work))
    }

    func attach(_ task: Task<Void, Never>) {
        let isCancelled = runner.withLock { runner in
            runner.task = task
            return runner.isCancelled
        }
        if isCancelled { task.cancel() }
    }

    /// Calls the handler's cancellation handlers, so never under a lock.
    func cancel() {
        let task = runner.withLock { runner in
            runner.isCancelled = true
            return runner.task
        }
        task?.cancel()
    }
}
