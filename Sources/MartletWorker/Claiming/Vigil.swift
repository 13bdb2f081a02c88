import MartletCore
import MartletStore

/// Waits for something to claim and claims it, on the thread where the store hears of work and gets its answers.
///
/// A worker that waits is asleep in all its threads. Each one that has to wake between a job's commit and its handler costs as
/// much as a fifth of the claim: so the one that hears of the job also asks for it, takes it in, and wakes the handler's.
/// What it does there is short, but for reading an answer that brings much, and calls nobody's code; the rest is left to the
/// claimer, whose task goes on elsewhere: answers that bring many jobs or an error, jobs that are suspect, events that somebody
/// wants to be told.
struct Vigil {
    typealias Answer = Result<[Lease], StoreError>

    enum End {
        /// Neither to wait nor to claim.
        case decided(IntakeState.Action?)
        case answered(Answer, IntakeState.Plan)
    }

    let store: any JobStore
    let access: StoreAccess
    let floor: Floor
    let herald: Herald
    let poll: Duration

    /// So many jobs are handed out in less time than another thread takes to wake.
    private static let few = 8

    /// - Parameters:
    ///   - until: when to look by itself.
    ///   - ask: claims.
    func keep(
        _ until: Moment?, _ session: FloorState.Session,
        _ ask: (IntakeState.Plan, FloorState.Session) async -> Answer
    ) async -> End {
        await withTaskExecutorPreference(store.claimThread) {
            var action = IntakeState.Action.wait(until)
            while true {
                switch action {
                case .wait(let moment):
                    await floor.hungry.wait(atMost: moment.map { $0 - .now } ?? poll)
                case .claim(let plan):
                    let answer = await ask(plan, session)
                    // One moment for both: what is trusted here must be there, too.
                    let now = Moment.now
                    guard let leases = plain(answer, session, now: now) else { return .answered(answer, plan) }
                    accept(leases, plan, session, now: now)
                case .confirmQuiet, .drained, .stopped:
                    return .decided(action)
                }
                guard floor.session?.number == session.number else { return .decided(nil) }
                action = floor.next()
            }
        }
    }

    func accept(_ leases: [Lease], _ plan: IntakeState.Plan, _ session: FloorState.Session, now: Moment = .now) {
        // Of kinds it did not ask for, their slots being taken, nobody was told that it sleeps.
        let askedForAll = plan.wants.count == floor.handlers.count
        let isCertain = leases.isEmpty && askedForAll && store.hintsAreCertain
        floor.accept(leases, session: session, isCertain: isCertain, now: now)
    }

    /// Nil where taking it in may last, or tells somebody.
    private func plain(_ answer: Answer, _ session: FloorState.Session, now: Moment) -> [Lease]? {
        switch answer {
        case .failure: return nil
        case .success(let leases):
            let jobs = leases.reduce(0) { $0 + $1.jobs.count }
            let isPlain = jobs <= Self.few && leases.allSatisfy { $0.jobs.allSatisfy { $0.crashes == 0 } }
            let isQuiet = !access.isOut && (jobs == 0 || !herald.wantsClaims) && floor.trusts(session, now: now)
            return isPlain && isQuiet ? leases : nil
        }
    }
}
