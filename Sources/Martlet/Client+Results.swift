import Foundation
import MartletCore
import MartletStore

extension Client {
    /// nil: there is no such job, or it ended longer ago than ended jobs are kept.
    public func job(_ id: JobID) async throws -> JobStatus? {
        do { return try await store.job(id).map(JobStatus.init) } catch { throw MartletError(error) }
    }

    /// What a completed job's run returned; nil while it has not ended.
    /// - Throws: ``JobProblem``, or ``MartletError``.
    public func result<J: Job>(of id: JobID, as type: J.Type) async throws -> J.Output? where J.Output: Decodable {
        guard let job = try await job(id) else { throw JobProblem.missing(id) }
        guard job.kind == J.kind else { throw JobProblem.otherKind(id, kind: job.kind, expected: J.kind) }
        switch job.state {
        case .scheduled, .available, .running, .retryable: return nil
        case .completed: return try job.output(as: type)
        case .failed, .cancelled: throw job.endedBadly
        }
    }

    /// Waits until a job has ended, however it did.
    ///
    /// It looks when the database hints at a change, and now and then in any case: how soon it sees the end depends on the
    /// engine, and is a second at most.
    /// - Parameter limit: for so long.
    /// - Throws: ``JobProblem/missing(_:)`` or ``JobProblem/waiting(_:kind:_:waited:)``, `CancellationError`, or ``MartletError``.
    @discardableResult
    public func wait(for id: JobID, atMost limit: Duration = .seconds(60)) async throws -> JobStatus {
        let end = ContinuousClock.now + limit
        var rhythm = WaitingRhythm()
        let ticks = Ticks(store.hints())
        defer { ticks.stop() }
        while true {
            try Task.checkCancellation()
            guard let job = try await job(id) else { throw JobProblem.missing(id) }
            if job.state.isFinal { return job }
            let left = end - .now
            guard left > .zero else { throw JobProblem.waiting(id, kind: job.kind, job.state, waited: limit) }
            try await ticks.next(within: min(rhythm.next(), left))
        }
    }

    /// Waits until a job has ended, and returns what its run returned.
    /// - Throws: as ``wait(for:atMost:)``, and any other ``JobProblem`` when it did not end well.
    public func wait<J: Job>(
        for id: JobID, as type: J.Type, atMost limit: Duration = .seconds(60)
    ) async throws -> J.Output where J.Output: Decodable {
        let job = try await wait(for: id, atMost: limit)
        guard job.kind == J.kind else { throw JobProblem.otherKind(id, kind: job.kind, expected: J.kind) }
        guard job.state == .completed else { throw job.endedBadly }
        return try job.output(as: type)
    }
}

extension JobStatus {
    fileprivate var endedBadly: JobProblem { .ended(id, kind: kind, state, error: errors.last?.error) }

    fileprivate func output<J: Job>(as type: J.Type) throws -> J.Output where J.Output: Decodable {
        guard let result else { throw JobProblem.misfit(id, kind: kind, reason: "the run left none") }
        do {
            return try JSONDecoder().decode(J.Output.self, from: Data(result.utf8))
        } catch {
            throw JobProblem.misfit(id, kind: kind, reason: Misfit.reason(error))
        }
    }
}

/// How long to wait between two looks that nothing hints at: most jobs end soon, and those that do not have time.
private struct WaitingRhythm {
    private var pause: Duration = .milliseconds(10)

    mutating func next() -> Duration {
        defer { pause = min(pause * 1.5, .seconds(1)) }
        return pause
    }
}

/// Hints of a store, waited for one at a time.
private final class Ticks: Sendable {
    private let signals: AsyncStream<Void>
    private let source: AsyncStream<Void>.Continuation
    private let forwarding: Task<Void, Never>
    /// Under load every commit of anybody is a hint.
    private static let rest: Duration = .milliseconds(5)

    init(_ hints: AsyncStream<Void>) {
        let (signals, source) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        self.signals = signals
        self.source = source
        forwarding = Task.detached {
            for await _ in hints { source.yield() }
        }
    }

    func next(within limit: Duration) async throws {
        let timer = Task.detached { [source] in
            // Throws only when it is cancelled, and then nobody waits for it.
            do { try await Task.sleep(for: limit) } catch { return }
            source.yield()
        }
        for await _ in signals { break }
        timer.cancel()
        try await Task.sleep(for: Self.rest)
    }

    func stop() {
        forwarding.cancel()
        source.finish()
    }
}
