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

    /// What is run next.
    private struct Step {
        let call: HandlerCall
        let run: @Sendable (HandlerCall) async -> RunReport
    }

    /// Inlined: the frame of a closure around it would live as long.
    @inline(__always)
    func run() async {
        var step = begin()
        while true {
            while let next = step { step = ended(await next.run(next.call)) }
            guard !slot.isThrough else { return }
            if !floor.settler.hasRoom { await floor.settler.room() }
            guard again() else { return }
            // Handlers that never suspend would keep the threads from others. What these do meanwhile is not this kind's cost,
            // so the next ones begin behind it; whoever was suspended in this turn has let others go first. It also brings the
            // runner to other threads, where the next ones need them.
            var makesWay = !wasSuspended || !slot.isInPlace
            while makesWay {
                await Task.yield()
                // A thread that is quicker than this one's suspension leaves the task here: a yield is a continuation, and that
                // was resumed before anybody waited for it.
                makesWay = !slot.isInPlace
            }
            step = begin()
        }
    }

    /// - Returns: the first job of what was taken; nil when there is none left of it.
    @inline(never)
    private func begin() -> Step? {
        let now = Moment.now
        slot.turnBegins(in: RunThread.currentPiece)
        let (chunk, first) = slot.begin(now: now, handlers: floor.handlers)
        if chunk.mayExpire { tellExpired(chunk) }
        return step(chunk, first, now: now)
    }

    /// - Returns: the next job; nil when that was the last of what was taken, or the task's.
    @inline(never)
    private func ended(_ report: RunReport) -> Step? {
        let now = Moment.now
        guard let end = slot.end(redacted(report), now: now, handlers: floor.handlers) else {
            // Nobody counts on a run that was written off.
            slot.finish()
            return nil
        }
        if let ending = end.ending {
            tell(ending, of: end.index, end.chunk, now.nanoseconds(since: end.startedAt))
        }
        if end.chunk.mayExpire { tellExpired(end.chunk) }
        switch end.move {
        case .goOn:
            return step(end.chunk, end.next, now: now)
        case .leave:
            slot.finish()
            floor.settle(slot, now: now)
            let (jobs, total) = slot.turn(now: now)
            floor.leave(slot, jobs: jobs, total: total)
        case .vanish:
            slot.finish()
        }
        return nil
    }

    /// - Returns: whether there is more for this runner.
    @inline(never)
    private func again() -> Bool {
        let now = Moment.now
        let (jobs, total) = slot.turn(now: now)
        guard floor.again(slot, jobs: jobs, total: total, now: now) != nil else {
            slot.finish()
            return false
        }
        return true
    }

    /// Whether the task has made way for others on its thread, in what was taken last.
    private var wasSuspended: Bool { slot.turnBeganIn != RunThread.currentPiece }

    private func step(_ chunk: Chunk, _ index: Int?, now: Moment) -> Step? {
        guard let index else {
            floor.settle(slot, now: now)
            return nil
        }
        let handler = floor.handlers[chunk.kind]
        let call = HandlerCall(chunk.common, index: index, startedAt: now)
        if floor.herald.wantsJobs {
            floor.herald.tell(.jobStarted(kind: handler.kind, id: call.id, attempt: call.attempt))
        }
        switch Suspicion(crashes: call.crashes) {
        case .none, .slight: return Step(call: call, run: handler.run)
        case .grave: return Step(call: call, run: handler.isolated ?? handler.run)
        }
    }

    /// What a run says of its failure, without what is secret in it.
    private func redacted(_ report: RunReport) -> RunReport {
        switch report.outcome {
        case .completed, .snooze, .cancelled, .interrupted: return report
        case .retry, .discard, .crashed:
            guard let (chunk, index) = slot.running else { return report }
            return floor.redacted(report, chunk.lease.jobs[index])
        }
    }

    private func tellExpired(_ chunk: Chunk) {
        for job in slot.takeExpired() { tell(job.ending, of: job.index, chunk, 0) }
    }

    /// - Parameter ran: nanoseconds.
    private func tell(_ ending: Ending, of index: Int, _ chunk: Chunk, _ ran: Int64) {
        switch ending {
        case .completed: guard floor.herald.wantsJobs else { return }
        case .snoozed, .retryable, .crashed, .failed, .cancelled, .givenBack: break
        }
        let job = chunk.lease.jobs[index]
        floor.herald.tell(
            .jobEnded(
                kind: chunk.lease.kind, id: job.id, attempt: job.attempt, ending: ending, ran: .nanoseconds(ran)))
    }
}
