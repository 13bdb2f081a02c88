import MartletCore
import MartletStore
import Synchronization

/// One runner and what it has in hand. The runner's task runs on the slot's threads, and nowhere else: by that it is known
/// which job holds a thread.
final class Slot: TaskExecutor {
    private struct Running {
        var task: Task<Void, Never>?
        var isCancelled = false
    }

    let number: Int
    let state: Mutex<SlotState>
    private let threads: Mutex<HandlerThreads>
    private let runner = Mutex(Running())
    private let through = Atomic(false)
    /// See ``RunThread/currentPiece``.
    private let piece = Atomic(0)

    init(number: Int, work: Work, threads: HandlerThreads) {
        self.number = number
        state = Mutex(SlotState(work))
        self.threads = Mutex(threads)
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        threads.withLock { $0.submit(job, of: self) }
    }

    /// - Parameter job: of the runtime, which ends a sleep by it.
    func submit(_ job: UnownedJob, due: Moment) { threads.withLock { $0.submit(job, due: due) } }

    /// Takes effect when the runner goes on after its next suspension.
    func move(to threads: HandlerThreads) { self.threads.withLock { $0 = threads } }

    /// Whether the calling thread is one of those that it has been moved to last.
    var isInPlace: Bool { threads.withLock { RunThread.isOne(of: $0) } }

    /// - Parameter run: begins at once, on another thread.
    /// - Returns: false when ``cancel()`` was called meanwhile, and has to be again.
    func start(_ run: Runner) -> Bool {
        let task = Task.detached(executorPreference: self) { await run.run() }
        return runner.withLock { runner in
            runner.task = task
            return !runner.isCancelled
        }
    }

    // MARK: The runner's side

    /// - Returns: what the jobs in hand are of; and the index of the first to run, nil when there is none left.
    func begin(now: Moment, handlers: [Handler]) -> (chunk: Chunk, next: Int?) {
        state.withLock { slot in
            let chunk = slot.work.chunk
            return (chunk, slot.begin(now: now, handler: handlers[chunk.kind]))
        }
    }

    /// The runner begins with what it has taken.
    /// - Parameter piece: of its task.
    func turnBegins(in piece: Int) { self.piece.store(piece, ordering: .relaxed) }

    var turnBeganIn: Int { piece.load(ordering: .relaxed) }

    /// A run that is over, and what comes after it.
    struct End {
        let chunk: Chunk
        let index: Int
        let startedAt: Moment
        /// What observers are told; nil: nothing is settled.
        let ending: Ending?
        let move: SlotState.Next
        /// The index of the job that has begun; nil: there is none left, or something speaks against it.
        let next: Int?
    }

    /// One lock for all that lies between two jobs.
    /// - Returns: nil when the run was written off.
    func end(_ report: RunReport, now: Moment, handlers: [Handler]) -> End? {
        state.withLock { slot in
            guard let index = slot.runningIndex, let startedAt = slot.startedAt else { return nil }
            let chunk = slot.work.chunk
            let handler = handlers[chunk.kind]
            let (ending, move) = slot.end(report, now: now, handler: handler, random: { .random(in: 0..<1) })
            return End(
                chunk: chunk, index: index, startedAt: startedAt, ending: ending, move: move,
                next: move == .goOn ? slot.begin(now: now, handler: handler) : nil)
        }
    }

    /// The job that runs; nil when it was written off.
    var running: (chunk: Chunk, index: Int)? {
        state.withLock { slot in slot.runningIndex.map { (slot.work.chunk, $0) } }
    }

    /// How many jobs of those in hand ran, and how long they took together.
    func turn(now: Moment) -> (jobs: Int, total: Duration) { state.withLock { $0.turn(now: now) } }

    func takeExpired() -> [SlotState.Expired] { state.withLock { $0.takeExpired() } }

    func takeEnded() -> ([Settlement], of: Work) { state.withLock { ($0.takeEnded(), of: $0.work) } }

    /// The runner ends.
    func finish() { through.store(true, ordering: .relaxed) }

    var isThrough: Bool { through.load(ordering: .relaxed) }

    // MARK: Stopping

    /// Calls the handler's cancellation handlers, which are users' code: see ``Canceller``.
    func cancel() {
        let task = runner.withLock { runner in
            runner.isCancelled = true
            return runner.task
        }
        task?.cancel()
    }
}
