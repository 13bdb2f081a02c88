import Synchronization

/// Keeps what it is given, and runs it when asked.
final class Captor: TaskExecutor {
    private let jobs = Mutex<[UnownedJob]>([])

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        jobs.withLock { $0.append(job) }
    }

    var job: UnownedJob { jobs.withLock { $0[0] } }

    func run() { job.runSynchronously(on: asUnownedTaskExecutor()) }
}
