import MartletCore

/// How jobs of one kind are run here.
///
/// One object for all its jobs: a struct of this size costs each of them a copy, counted piece by piece.
package final class Handler: Sendable {
    package let kind: String
    /// At most this many at a time; nil: only the worker's own limit.
    package let concurrency: Int?
    /// The worker finds out how many at a time do best; ``concurrency`` is the most.
    package let adapts: Bool
    /// For jobs that bring none of their own; nil: none.
    package let timeout: Duration?
    package let retry: RetryPolicy
    /// How long a run may take to end once its task was cancelled. After that its slot is written off: the job is settled
    /// without it, another job may start, and what the run returns later is ignored.
    package let unwind: Duration
    /// Where ``run`` is called. What it does there is its own business: that of ``Executor/process`` waits for a child.
    package let executor: Executor
    /// Its runs are processes, whoever starts them.
    package let usesProcesses: Bool
    package let onBlock: OnBlock
    /// Its runs take the processors on which handlers run, so that too many under way slow each other down: see ``Crowd``. Not so
    /// what runs on other threads or in processes, nor a kind that finds out by itself how many do best.
    package let crowds: Bool
    /// Runs a job whose worker died while it ran, where it can hurt nobody; nil: as any other.
    package let isolated: (@Sendable (HandlerCall) async -> RunReport)?
    package let run: @Sendable (HandlerCall) async -> RunReport

    package init(
        kind: String, concurrency: Int? = nil, adapts: Bool = false, timeout: Duration? = Limits.defaultTimeout,
        retry: RetryPolicy = RetryPolicy(),
        unwind: Duration = .seconds(10), executor: Executor = .coroutine, usesProcesses: Bool? = nil,
        onBlock: OnBlock = .warn, crowds: Bool = true,
        isolated: (@Sendable (HandlerCall) async -> RunReport)? = nil,
        reporting run: @escaping @Sendable (HandlerCall) async -> RunReport
    ) {
        precondition(concurrency.map { $0 > 0 } ?? true, "a kind that may never run is left out instead")
        self.kind = kind
        self.concurrency = concurrency
        self.adapts = adapts
        self.timeout = timeout
        self.retry = retry
        self.unwind = unwind
        self.executor = executor
        self.usesProcesses = usesProcesses ?? (executor == .process)
        self.onBlock = onBlock
        self.crowds = crowds && executor == .coroutine && !self.usesProcesses && !adapts
        self.isolated = isolated
        self.run = run
    }

    /// How many at a time there may be in a worker: more blocking ones than threads for them would only wait in others' way.
    func most(of concurrency: Int, blockingThreads: Int) -> Int {
        let most = min(self.concurrency ?? concurrency, concurrency)
        switch executor {
        case .blocking: return min(most, blockingThreads)
        case .coroutine, .process: return most
        }
    }

    /// The same handler with something around each run.
    package func wrapped(
        _ wrap: @escaping @Sendable (HandlerCall, @Sendable (HandlerCall) async -> RunReport) async -> RunReport
    ) -> Handler {
        Handler(
            kind: kind, concurrency: concurrency, adapts: adapts, timeout: timeout, retry: retry, unwind: unwind,
            executor: executor,
            usesProcesses: usesProcesses, onBlock: onBlock, crowds: crowds,
            isolated: isolated.map { run in { @Sendable call in await wrap(call, run) } },
            reporting: { [run] call in await wrap(call, run) })
    }

    /// For handlers that have nothing to report but how they ended.
    package convenience init(
        kind: String, concurrency: Int? = nil, adapts: Bool = false, timeout: Duration? = Limits.defaultTimeout,
        retry: RetryPolicy = RetryPolicy(),
        unwind: Duration = .seconds(10), executor: Executor = .coroutine, onBlock: OnBlock = .warn,
        crowds: Bool = true,
        run: @escaping @Sendable (HandlerCall) async -> Outcome
    ) {
        self.init(
            kind: kind, concurrency: concurrency, adapts: adapts, timeout: timeout, retry: retry, unwind: unwind,
            executor: executor,
            onBlock: onBlock, crowds: crowds,
            reporting: { RunReport(await run($0)) })
    }
}
