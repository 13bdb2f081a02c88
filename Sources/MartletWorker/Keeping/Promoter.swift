import MartletCore
import MartletStore

/// Makes delayed jobs available when they are due.
///
/// Sleeps until the next one is due, a hint, or the poll interval: a job that another process schedules may be due sooner than
/// all that were known. Where that comes with a hint for certain, it polls seldom.
struct Promoter {
    let store: any JobStore
    let access: StoreAccess
    let floor: Floor
    let herald: Herald
    let poll: Duration
    /// Something hints at a change, or the worker stops.
    let wake: Signal

    private static let piece = 1_000
    /// Hints come with every change of the database; delayed jobs are a small part of that.
    private static let betweenHints: Duration = .milliseconds(50)
    /// A hint is mostly about a job that is due now, and its claim goes first: it is what somebody waits for.
    private static let courtesy: Duration = .milliseconds(3)

    func run() async {
        var backoff = Backoff()
        while !floor.isStopping {
            let startedAt = Moment.now
            var pause = poll
            do {
                let reply = try await store.promote(limit: Self.piece)
                access.succeeded(.promote)
                backoff.reset()
                if reply.moved > 0 {
                    herald.tell(.promoted(reply.moved))
                    floor.hint()
                }
                if reply.moved >= Self.piece { continue }
                if floor.isCertain { pause = poll * IntakeState.certainPolls }
                if let due = reply.nextDue { pause = min(due, pause) }
            } catch {
                guard access.failed(error, .promote) else { return }
                pause = backoff.next(random: .random(in: 0..<1))
            }
            let hinted = await wake.wait(atMost: max(pause, .milliseconds(1)))
            let early = startedAt + Self.betweenHints - .now
            if hinted, !floor.isStopping { await Signal().wait(atMost: min(max(early, Self.courtesy), pause)) }
        }
    }
}
