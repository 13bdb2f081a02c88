import MartletCore
import MartletStore
import Synchronization

/// One task that runs jobs, one after another, until none is left for it.
///
/// Short jobs come several at a time (see ``Cost/helping``): between two of them lie the slot's lock, which nobody else holds
/// but for an instant, one reading of the clock, and nothing else. A job whose task was cancelled is its task's last.
///
/// The frame of ``run()`` lives as long as a job waits, and there may be very many that do. So it holds what comes next and
/// nothing else; the slot remembers the rest, and what is needed for a moment is made in functions of its own.
struct Runner {
    let floor: Floor
    let slot: Slot

    /// Inlined: the frame of a closure around it would live as long.
    @inline(__always)
    func run() async {
        var call = begin()
        while true {
            while let next = call { call = ended(await body(next)(next)) }
            guard !slot.isThrough else { return }
            await floor.settler.room()
            guard again() else { return }
            // Handlers that never suspend would keep the threads from others. What these do meanwhile is not this kind's cost,
            // so the next ones begin behind it.
            await Task.yield()
            call = begin()
        }
    }

    /// - Returns: the first job of what was taken; nil when there is none left of it.
    @inline(never)
    private func begin() -> HandlerCall? {
        let chunk = slot.chunk
        let next = slot.begin(now: .now, handler: floor.handlers[chunk.kind])
        if chunk.mayExpire { tellExpired(chunk) }
        return call(chunk, next)
    }

    /// - Returns: the next job; nil when that was the last of what was taken, or the task's.
    @inline(never)
    private func ended(_ report: RunReport) -> HandlerCall? {
        guard let (chunk, index) = slot.running else {
            // Nobody counts on a run that was written off.
            slot.finish()
            return nil
        }
        let (handler, job) = (floor.handlers[chunk.kind], chunk.lease.jobs[index])
        let ended = slot.end(floor.redacted(report, job), now: .now, handler: handler)
        if let ending = ended.ending { tell(ending, job, handler, ended.ran) }
        if chunk.mayExpire { tellExpired(chunk) }
        switch ended.move {
        case .goOn:
            return call(chunk, ended.next)
        case .leave:
            slot.finish()
            floor.settle(slot)
            let (jobs, total) = slot.turn(now: .now)
            floor.leave(slot, jobs: jobs, total: total)
        case .vanish:
            slot.finish()
        }
        return nil
    }

    /// - Returns: whether there is more for this runner.
    @inline(never)
    private func again() -> Bool {
        let (jobs, total) = slot.turn(now: .now)
        guard floor.again(slot, jobs: jobs, total: total) != nil else {
            slot.finish()
            return false
        }
        return true
    }

    @inline(never)
    private func body(_ call: HandlerCall) -> @Sendable (HandlerCall) async -> RunReport {
        let handler = floor.handlers[slot.chunk.kind]
        if floor.herald.wantsJobs {
            floor.herald.tell(.jobStarted(kind: handler.kind, id: call.id, attempt: call.attempt))
        }
        switch Suspicion(crashes: call.crashes) {
        case .none, .slight: return handler.run
        case .grave: return handler.isolated ?? handler.run
        }
    }

    private func call(_ chunk: Chunk, _ index: Int?) -> HandlerCall? {
        guard let index else {
            floor.settle(slot)
            return nil
        }
        let common = chunk.common { lease in
            let handler = floor.handlers[chunk.kind]
            return HandlerCall.Common(
                lease: lease, maxAttempts: handler.retry.maxAttempts, timeout: handler.timeout, progress: floor.progress,
                logger: floor.logger)
        }
        return HandlerCall(common, index: index, startedAt: slot.startedAt ?? .now)
    }

    private func tellExpired(_ chunk: Chunk) {
        for job in slot.takeExpired() { tell(job.ending, chunk.lease.jobs[job.index], floor.handlers[chunk.kind], .zero) }
    }

    private func tell(_ ending: Ending, _ job: LeasedJob, _ handler: Handler, _ ran: Duration) {
        switch ending {
        case .completed: guard floor.herald.wantsJobs else { return }
        case .snoozed, .retryable, .crashed, .failed, .cancelled, .givenBack: break
        }
        floor.herald.tell(.jobEnded(kind: handler.kind, id: job.id, attempt: job.attempt, ending: ending, ran: ran))
    }
}
