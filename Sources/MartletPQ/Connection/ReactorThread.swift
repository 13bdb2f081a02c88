import Dispatch

/// The I/O thread for tasks that have next to nothing to do between one answer and the next request: they need not wake another
/// thread for it. All connections wait meanwhile, so whatever may take long belongs elsewhere.
final class ReactorThread: TaskExecutor {
    private let mailbox: Mailbox

    init(_ mailbox: Mailbox) { self.mailbox = mailbox }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if !mailbox.post(.run(job)) { runElsewhere(job) }
    }

    func run(_ job: UnownedJob) { job.runSynchronously(on: asUnownedTaskExecutor()) }

    /// A task outlives the thread: it still has to come to its end.
    func runElsewhere(_ job: UnownedJob) { DispatchQueue.global().async { self.run(job) } }
}
