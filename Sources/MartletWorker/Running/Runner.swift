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

    /// What comes next.
    private enum Step {
        case run(HandlerCall, @Sendable (HandlerCall) async -> RunReport)
        /// What was taken is done.
        case ask
        case end
    }

    func run() async {
        var step = begin()
        while true {
            switch step {
            case .run(let call, let body):
                step = ended(await body(call))
            case .ask:
                await floor.settler.room()
                step = again()
                // Handlers that never suspend would keep the threads from others.
                if case .run = step { await Task.yield() }
            case .end:
                return
            }
        }
    }

    /// The first job of what was taken.
    @inline(never)
    private func begin() -> Step {
        let chunk = slot.chunk
        let next = slot.begin(now: .now, handler: floor.handlers[chunk.kind])
        if chunk.mayExpire { tellExpired(chunk) }
        return step(next, chunk)
    }

    @inline(never)
    private func ended(_ report: RunReport) -> Step {
        // Nobody counts on a run that was written off.
        guard let (chunk, index) = slot.running else { return .end }
        let (handler, job) = (floor.handlers[chunk.kind], chunk.lease.jobs[index])
        let ended = slot.end(floor.redacted(report, job), now: .now, handler: handler)
        if let ending = ended.ending { tell(ending, job, handler, ended.ran) }
        if chunk.mayExpire { tellExpired(chunk) }
        switch ended.move {
        case .goOn:
            return step(ended.next, chunk)
        case .leave:
            floor.settle(slot)
            let (jobs, total) = slot.turn(now: .now)
            floor.leave(slot, jobs: jobs, total: total)
            return .end
        case .vanish:
            return .end
        }
    }

    @inline(never)
    private func again() -> Step {
        let (jobs, total) = slot.turn(now: .now)
        return floor.again(slot, jobs: jobs, total: total) == nil ? .end : begin()
    }

    private func step(_ next: Int?, _ chunk: Chunk) -> Step {
        guard let next else {
            floor.settle(slot)
            return .ask
        }
        return .run(call(chunk, next), body(chunk, next))
    }

    private func body(_ chunk: Chunk, _ index: Int) -> @Sendable (HandlerCall) async -> RunReport {
        let (handler, job) = (floor.handlers[chunk.kind], chunk.lease.jobs[index])
        if floor.herald.wantsJobs {
            floor.herald.tell(.jobStarted(kind: handler.kind, id: job.id, attempt: job.attempt))
        }
        return job.crashes > 0 ? handler.isolated ?? handler.run : handler.run
    }

    private func call(_ chunk: Chunk, _ index: Int) -> HandlerCall {
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
