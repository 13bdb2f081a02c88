import Dispatch
import Synchronization

/// The writer's thread for tasks that have next to nothing to do between a hint, a claim and its answer: they need not wake
/// another thread for it. All writing waits meanwhile, so whatever may take long belongs elsewhere.
final class WriterThread: TaskExecutor {
    private struct State {
        var waiting: [UnownedJob] = []
        var isClosed = false
    }

    private let state = Mutex(State())
    private let watch: ChangeWatch

    init(_ watch: ChangeWatch) { self.watch = watch }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let (isOpen, isFirst) = state.withLock { state in
            guard !state.isClosed else { return (false, false) }
            state.waiting.append(job)
            return (true, state.waiting.count == 1)
        }
        if isFirst { watch.ring() }
        if !isOpen { runElsewhere(job) }
    }

    // MARK: The writer's thread

    /// - Returns: whether there was anything to run.
    @discardableResult
    func run() -> Bool {
        let jobs = take()
        for job in jobs { job.runSynchronously(on: asUnownedTaskExecutor()) }
        return !jobs.isEmpty
    }

    /// The thread ends. Tasks that outlive it still have to come to their end.
    func close() {
        state.withLock { $0.isClosed = true }
        lend()
    }

    // MARK: Other threads

    /// The thread is held up, so what waits for it goes on elsewhere.
    func lend() { for job in take() { runElsewhere(job) } }

    private func take() -> [UnownedJob] {
        state.withLock { state in
            defer { state.waiting.removeAll(keepingCapacity: true) }
            return state.waiting
        }
    }

    private func runElsewhere(_ job: UnownedJob) {
        DispatchQueue.global().async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
