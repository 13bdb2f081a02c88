import Logging
import MartletCore
import MartletStore
import MartletWorker
import Synchronization

/// `1 204 done, 3 failed · 796 to go · 310/s`, drawn again a few times a second.
final class DrainProgress: Sendable {
    private struct Counts {
        var ended = 0
        var failed = 0
        var retried = 0
    }

    private let counts = Mutex(Counts())

    func observe(_ event: WorkerEvent) {
        guard case .jobEnded(_, _, _, let ending, _) = event else { return }
        counts.withLock { counts in
            switch ending {
            case .completed, .cancelled: counts.ended += 1
            case .failed: counts.failed += 1
            case .retryable, .crashed: counts.retried += 1
            case .snoozed, .givenBack: break
            }
        }
    }

    /// Until cancelled. What is left to do is asked of the store, less often than it is drawn.
    func draw(_ store: any JobStore, _ log: DaemonLog) async {
        let clock = ContinuousClock()
        let start = clock.now
        var waiting: Int?
        var round = 0
        while !Task.isCancelled {
            if round.isMultiple(of: 5) { waiting = await left(store, log) }
            round += 1
            let now = counts.withLock { $0 }
            log.sink.show(status: text(now, waiting, elapsed: clock.now - start, log.style))
            do {
                try await clock.sleep(for: .milliseconds(200))
            } catch {
                return
            }
        }
    }

    private func left(_ store: any JobStore, _ log: DaemonLog) async -> Int? {
        do {
            let counts = try await store.stats().counts
            return [JobState.available, .running, .scheduled, .retryable].reduce(0) { $0 + (counts[$1] ?? 0) }
        } catch {
            log.logger.debug("no counts for the progress line", metadata: ["error": "\(error)"])
            return nil
        }
    }

    private func text(_ counts: Counts, _ left: Int?, elapsed: Duration, _ style: Style) -> String {
        let done = counts.ended + counts.failed
        var parts = [style.paint("\(Counted.grouped(counts.ended)) done", .green)]
        if counts.failed > 0 { parts.append(style.paint("\(Counted.grouped(counts.failed)) failed", .red)) }
        if counts.retried > 0 { parts.append(style.paint("\(Counted.grouped(counts.retried)) to be tried again", .yellow)) }
        if let left { parts.append("\(Counted.grouped(left)) to go") }
        let rate = Int(Double(done) / max(elapsed.inSeconds, 0.001))
        if done > 0 { parts.append("\(Counted.grouped(rate))/s") }
        return parts.joined(separator: style.paint(" · ", .dim))
    }
}
