import Martlet
import MartletCore
import MartletStore
import MartletWorker
import Synchronization

extension TestQueue {
    /// A drain that does not come to its end.
    public struct Endless: Error, Sendable, CustomStringConvertible {
        public let runs: Int
        public let last: TestedRun?

        public var description: String {
            "\(runs) jobs have run and there are more"
                + (last.map { "; the last was attempt \($0.attempt) of job \($0.id) of kind \($0.kind)" } ?? "")
        }
    }

    /// Runs jobs until none is due, also those that these enqueue.
    /// - Parameters:
    ///   - advancing: whether the clock is moved to when the next job is due, until none waits at all.
    ///   - limit: of runs, for jobs that enqueue each other without end.
    /// - Returns: every run in its order.
    /// - Throws: ``Endless``.
    @discardableResult
    public func drain(advancing: Bool = false, limit: Int = 1_000) async throws -> [TestedRun] {
        var runs: [TestedRun] = []
        while true {
            while let more = try await runNext() {
                runs += more
                guard runs.count <= limit else { throw Endless(runs: runs.count, last: runs.last) }
            }
            guard advancing, let wait = try await nextDue() else { return runs }
            clock.advance(by: wait)
        }
    }

    private func nextDue() async throws -> Duration? {
        let next = try await client.store.promote(limit: Limits.enqueueBatch).nextDue
        // Not less than the store's grain, or it would never be there.
        return next.map { max($0, .milliseconds(1)) }
    }

    /// - Returns: nil when nothing is due.
    private func runNext() async throws -> [TestedRun]? {
        while try await client.store.promote(limit: Limits.enqueueBatch).moved > 0 {}
        guard let lease = try await claim(handlers.map(\.kind), limit: 1).first, let job = lease.jobs.first else {
            return nil
        }
        let fault = state.withLock { state in
            state.faults.firstIndex { $0.kind == lease.kind }.map { state.faults.remove(at: $0).fault }
        }
        switch fault {
        case nil:
            let report = await run(job, lease)
            return [try await settle(job, lease, 0, report)]
        case .loseSettlement:
            let report = await run(job, lease)
            try await expireLeases()
            return [try await settle(job, lease, 0, report)]
        case .expireLease:
            let report = try await runLate(job, lease)
            return [try await settle(job, lease, 0, report)]
        case .deliverTwice:
            return try await runTwice(job, lease)
        }
    }

    private func runTwice(_ job: LeasedJob, _ lease: Lease) async throws -> [TestedRun] {
        try await expireLeases()
        guard let (second, index) = try await reclaim(job, lease.kind) else {
            // Its third crash: it waits a while before it runs again.
            return [try await settle(job, lease, 0, await run(job, lease))]
        }
        async let early = run(job, lease)
        async let late = run(second.jobs[index], second)
        let (first, last) = await (early, late)
        return [try await settle(job, lease, 0, first), try await settle(second.jobs[index], second, index, last)]
    }

    /// The job under its next lease; what waits before it goes back.
    private func reclaim(_ job: LeasedJob, _ kind: String) async throws -> (Lease, Int)? {
        while true {
            let leases = try await claim([kind], limit: Limits.leaseJobs)
            guard !leases.isEmpty else { return nil }
            var found: (Lease, Int)?
            var others: [Settlement] = []
            for lease in leases {
                for (index, other) in lease.jobs.enumerated() {
                    if other.id == job.id {
                        found = (lease, index)
                    } else {
                        others.append(
                            Settlement(
                                lease: lease.id, index: index, ending: .givenBack, maxAttempts: 1, waited: .zero, ran: .zero)
                        )
                    }
                }
            }
            _ = try await client.store.settle(others)
            if let found { return found }
        }
    }

    private func claim(_ kinds: [String], limit: Int) async throws -> [Lease] {
        let worker = state.withLock { $0.worker }
        return try await client.store.claim(
            ClaimRequest(worker: worker, wants: kinds.map { ClaimRequest.Want(kind: $0, limit: limit) }, limit: limit))
    }

    private func handler(_ kind: String) -> TestHandler {
        guard let handler = handlers.first(where: { $0.kind == kind }) else {
            preconditionFailure("the store gave \(kind), which was not asked for")
        }
        return handler
    }

    private func run(_ job: LeasedJob, _ lease: Lease) async -> RunReport {
        let handler = handler(lease.kind)
        let call = call(job, lease, handler)
        return await ended { await handler.run(call) }
    }

    /// The lease is over, and the task cancelled, before the run can do anything.
    private func runLate(_ job: LeasedJob, _ lease: Lease) async throws -> RunReport {
        let handler = handler(lease.kind)
        let call = call(job, lease, handler)
        let begun = AsyncStream<Void>.makeStream()
        async let outcome = ended {
            for await _ in begun.stream { break }
            return await handler.run(call)
        }
        while state.withLock({ $0.running.isEmpty }) { await Task.yield() }
        // A cancelled task's stream ends by itself.
        try await expireLeases()
        return await outcome
    }

    private func call(_ job: LeasedJob, _ lease: Lease, _ handler: TestHandler) -> HandlerCall {
        HandlerCall(
            id: job.id, kind: lease.kind, queue: lease.queue, attempt: job.attempt,
            maxAttempts: job.maxAttempts ?? handler.retry.maxAttempts, lease: lease.id, args: job.args,
            enqueuedAt: job.enqueuedAt, timeout: job.timeout ?? handler.timeout, logger: logger)
    }

    /// Known as running meanwhile.
    private func ended(_ body: @escaping @Sendable () async -> RunReport) async -> RunReport {
        let (number, task) = state.withLock { state in
            state.lastRun += 1
            let task = Task.detached { await body() }
            state.running[state.lastRun] = task
            return (state.lastRun, task)
        }
        let outcome = await task.value
        state.withLock { _ = $0.running.removeValue(forKey: number) }
        return outcome
    }

    private func settle(_ job: LeasedJob, _ lease: Lease, _ index: Int, _ report: RunReport) async throws -> TestedRun {
        let handler = handler(lease.kind)
        let maxAttempts = job.maxAttempts ?? handler.retry.maxAttempts
        let ending = Ending(
            report.outcome, attempt: job.attempt, maxAttempts: maxAttempts, crashes: job.crashes, retry: handler.retry,
            random: 0.5)
        let followUps = if case .completed = ending { report.followUps } else { [NewJob]() }
        let reply = try await client.store.settle([
            Settlement(
                lease: lease.id, index: index, ending: ending, maxAttempts: maxAttempts, waited: .zero, ran: .zero,
                followUps: followUps)
        ])
        return TestedRun(
            id: job.id, kind: lease.kind, attempt: job.attempt, outcome: report.outcome,
            counts: reply.lost.isEmpty && reply.repeated == 0)
    }
}
