import Synchronization

/// One runner and what it has in hand. The runner's task runs on the slot's threads, and nowhere else: by that it is known
/// which job holds a thread.
final class Slot: TaskExecutor {
    private struct Runner {
        var task: Task<Void, Never>?
        var isCancelled = false
    }

    let number: Int
    let state: Mutex<SlotState>
    private let threads: Mutex<HandlerThreads>
    private let runner = Mutex(Runner())

    init(number: Int, work: Work, threads: HandlerThreads) {
        self.number = number
        state = Mutex(SlotState(work))
        self.threads = Mutex(threads)
    }

    func enqueue(_ job: consuming ExecutorJob) {
        threads.withLock { $0 }.submit(UnownedJob(job), of: self)
    }

    /// Takes effect when the runner goes on after its next suspension.
    func move(to threads: HandlerThreads) { self.threads.withLock { $0 = threads } }

    /// - Parameter body: may be called at once, from another thread.
    func start(_ body: @escaping @Sendable () async -> Void) {
        let task = Task.detached(executorPreference: self, operation: body)
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
