import Foundation
import Synchronization

/// Host lookups off the pool, one at a time for each host however many jobs wait for it, each on a thread that lives no longer
/// than the lookup: a name server that does not answer holds up nobody else.
///
/// Answers hold for a few seconds, which spares a burst of jobs a lookup each and is short beside what the DNS itself allows.
final class Resolver: Sendable {
    /// The task was cancelled while it waited.
    struct Cancelled: Error {}

    private struct State {
        var answers: [String: (answer: HostLookup.Answer, until: ContinuousClock.Instant)] = [:]
        /// Of hosts that are being looked up.
        var waiting: [String: [Int: CheckedContinuation<HostLookup.Answer, any Error>]] = [:]
        var last = 0
    }

    private enum Step {
        case answered(HostLookup.Answer)
        case cancelled, wait, look
    }

    private static let fresh: Duration = .seconds(5)

    private let lookup: HostLookup
    private let state = Mutex(State())

    init(_ lookup: HostLookup) { self.lookup = lookup }

    func answer(for host: String) async throws -> HostLookup.Answer {
        let number = state.withLock { state in
            state.last += 1
            return state.last
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { wait(for: host, number, $0) }
        } onCancel: {
            let continuation = state.withLock { $0.waiting[host]?.removeValue(forKey: number) }
            continuation?.resume(throwing: Cancelled())
        }
    }

    private func wait(for host: String, _ number: Int, _ continuation: CheckedContinuation<HostLookup.Answer, any Error>) {
        let step: Step = state.withLock { state in
            if let known = state.answers[host], known.until > .now { return .answered(known.answer) }
            // The handler of a cancellation that came before found nothing to resume.
            if Task.isCancelled { return .cancelled }
            let isUnderWay = state.waiting[host] != nil
            state.waiting[host, default: [:]][number] = continuation
            return isUnderWay ? .wait : .look
        }
        switch step {
        case .answered(let answer): continuation.resume(returning: answer)
        case .cancelled: continuation.resume(throwing: Cancelled())
        case .wait: break
        case .look: Thread.detachNewThread { [self] in look(host) }
        }
    }

    private func look(_ host: String) {
        let answer = lookup.find(host)
        let waiting = state.withLock { state in
            if case .addresses = answer { state.answers[host] = (answer, .now + Self.fresh) }
            return state.waiting.removeValue(forKey: host) ?? [:]
        }
        for continuation in waiting.values { continuation.resume(returning: answer) }
    }
}
