import MartletCore
import MartletStore
import Synchronization

/// One task that runs jobs, one after another, until none is left for it.
///
/// Short jobs come several at a time (see ``Cost/helping``): between two of them lie the slot's lock, which nobody else holds
/// but for an instant, one reading of the clock, and nothing else. A job whose task was cancelled is its task's last.
struct Runner {
    let floor: Floor
    let slot: Slot

    func run(_ first: Work) async {
        var next: Work? = first
        while let work = next {
            let begun = Moment.now
            let (jobs, move) = await run(work.chunk, begun: begun)
            switch move {
            case .goOn:
                floor.settle(slot)
                await floor.settler.room()
                next = floor.again(slot, jobs: jobs, total: .now - begun)
                // Handlers that never suspend would keep the threads from others.
                if next != nil { await Task.yield() }
            case .leave:
                floor.settle(slot)
                return floor.leave(slot, jobs: jobs, total: .now - begun)
            case .vanish:
                return
            }
        }
    }

    /// Its frame lives as long as a job waits, and there may be very many that do: what it needs for a moment only is made in
    /// functions of its own (measured with 200 000 waiting jobs).
    private func run(_ chunk: Chunk, begun: Moment) async -> (jobs: Int, SlotState.Next) {
        var jobs = 0
        var next = slot.begin(now: begun, handler: floor.handlers[chunk.kind])
        if chunk.mayExpire { tellExpired(chunk) }
        while let index = next {
            let report = await body(chunk, index)(call(chunk, index))
            jobs += 1
            let move: SlotState.Next
            (next, move) = ended(chunk, index, report)
            if move != .goOn { return (jobs, move) }
        }
        return (jobs, .goOn)
    }

    @inline(never)
    private func body(_ chunk: Chunk, _ index: Int) -> @Sendable (HandlerCall) async -> RunReport {
        let (handler, job) = (floor.handlers[chunk.kind], chunk.lease.jobs[index])
        if floor.herald.wantsJobs {
            floor.herald.tell(.jobStarted(kind: handler.kind, id: job.id, attempt: job.attempt))
        }
        switch Suspicion(crashes: job.crashes) {
        case .none, .slight: return handler.run
        case .grave: return handler.isolated ?? handler.run
        }
    }

    @inline(never)
    private func ended(_ chunk: Chunk, _ index: Int, _ report: RunReport) -> (next: Int?, SlotState.Next) {
        let handler = floor.handlers[chunk.kind]
        let ended = slot.end(floor.redacted(report, chunk.lease.jobs[index]), now: .now, handler: handler)
        if let ending = ended.ending { tell(ending, chunk.lease.jobs[index], handler, ended.ran) }
        if chunk.mayExpire { tellExpired(chunk) }
        return (ended.next, ended.move)
    }

    @inline(never)
    private func call(_ chunk: Chunk, _ index: Int) -> HandlerCall {
        let (handler, lease, job) = (floor.handlers[chunk.kind], chunk.lease, chunk.lease.jobs[index])
        return HandlerCall(
            id: job.id, kind: handler.kind, queue: lease.queue, attempt: job.attempt,
            maxAttempts: job.maxAttempts ?? handler.retry.maxAttempts, lease: lease.id, args: job.args,
            enqueuedAt: job.enqueuedAt, timeout: job.timeout ?? handler.timeout,
            index: index, startedAt: slot.startedAt ?? .now, progress: floor.progress, logger: floor.logger)
    }

    @inline(never)
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
