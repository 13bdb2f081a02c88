/// What is held against a job that a worker had claimed, and not settled, when the worker died.
///
/// Which of them did it nobody can know, nor whether any did: somebody may have killed the worker, or all of them together may
/// have used up the memory. So suspicion grows with what happened to a job, and what is done costs as much as it is worth:
///
/// - **slight**, after one such death: it runs as it always does, beside jobs that nothing is held against, but few with slight
///   suspicion at a time, g. Should one of them be the culprit, it takes only these into grave suspicion.
/// - **grave**, from the second on: it runs alone in a process of its own, as many at a time as there are processors, p, until it
///   ends or has ended that process; ``Limits/crashes`` in all, and it has failed. So no job kills more than two workers.
///
/// When a worker dies with n jobs, the first take about n / g rounds and what a culprit among them leaves another g / p, or two
/// of them: about the least together for g = √(n p), where n is as many as run here at a time. 5 000 jobs that wait for a
/// minute each are through after 50 minutes on 2 processors when nobody was guilty, and after at most 150 when one was. One at a
/// time in p processes from the first death on they would take 41 hours either way; all at once after the first death they
/// would do so when one was guilty, or when it was their number that was too much.
enum Suspicion: Sendable, CaseIterable {
    case none, slight, grave

    /// - Parameter crashes: how many processes have ended under the job.
    init(crashes: Int) {
        self = crashes == 0 ? .none : crashes == 1 ? .slight : .grave
    }

    /// How many jobs with it a worker runs at a time at most; nil: as many as any.
    ///
    /// - Parameters:
    ///   - concurrency: of the worker, in all.
    ///   - alone: how many jobs run at a time in a process of their own for grave suspicion.
    func limit(concurrency: Int, alone: Int) -> Int? {
        switch self {
        case .none: nil
        case .slight: max(Int((Double(concurrency) * Double(alone)).squareRoot().rounded(.up)), 1)
        case .grave: max(alone, 1)
        }
    }

    /// How many that a worker has claimed may wait for those of this limit. Should it die, all of them were in its hands: so of
    /// those that can make it die no more than run. The others, as many as can be run in a while.
    func most(waitingFor limit: Int) -> Int {
        switch self {
        case .none, .slight: limit
        case .grave: 10 * limit
        }
    }
}
