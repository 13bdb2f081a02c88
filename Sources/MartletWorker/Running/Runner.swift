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
                floor.settle(slot.state.withLock { $0.takeEnded() }, kind: work.chunk.kind)
                await floor.settler.room()
                next = floor.again(slot, jobs: jobs, total: .now - begun)
                // Handlers that never suspend would keep the pool's threads from the tasks that claim and settle.
                if next != nil { await Task.yield() }
            case .leave:
                floor.settle(slot.state.withLock { $0.takeEnded() }, kind: work.chunk.kind)
                return floor.leave(slot, jobs: jobs, total: .now - begun)
            case .vanish:
                return
            }
        }
    }

    private func run(_ chunk: Chunk, begun: Moment) async -> (jobs: Int, SlotState.Next) {
        let handler = floor.handlers[chunk.kind]
        var jobs = 0
        var index = slot.state.withLock { $0.begin(now: begun, handler: handler) }
        while let current = index {
            let job = chunk.lease.jobs[current]
            if floor.herald.wantsJobs {
                floor.herald.tell(.jobStarted(kind: handler.kind, id: job.id, attempt: job.attempt))
            }
            let run = job.crashes > 0 ? handler.isolated ?? handler.run : handler.run
            let report = await run(call(job, chunk.lease, handler))
            jobs += 1
            let now = Moment.now
            let (ending, ran, move) = slot.state.withLock { slot in
                let startedAt = slot.startedAt ?? now
                let (ending, move) = slot.end(report, now: now, handler: handler, random: { .random(in: 0..<1) })
                index = move == .goOn ? slot.begin(now: now, handler: handler) : nil
                return (ending, now - startedAt, move)
            }
            if let ending { tell(ending, job, handler, ran) }
            if move != .goOn { return (jobs, move) }
        }
        return (jobs, .goOn)
    }

    private func call(_ job: LeasedJob, _ lease: Lease, _ handler: Handler) -> HandlerCall {
        HandlerCall(
            id: job.id, kind: handler.kind, queue: lease.queue, attempt: job.attempt,
            maxAttempts: job.maxAttempts ?? handler.retry.maxAttempts, lease: lease.id, args: job.args,
            enqueuedAt: job.enqueuedAt, timeout: job.timeout ?? handler.timeout, logger: floor.logger)
    }

    private func tell(_ ending: Ending, _ job: LeasedJob, _ handler: Handler, _ ran: Duration) {
        switch ending {
        case .completed: guard floor.herald.wantsJobs else { return }
        case .snoozed, .retryable, .failed, .cancelled, .givenBack: break
        }
        floor.herald.tell(.jobEnded(kind: handler.kind, id: job.id, attempt: job.attempt, ending: ending, ran: ran))
    }
}
