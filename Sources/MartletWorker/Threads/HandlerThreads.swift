import CMartletLinux
import Dispatch
import Foundation
import MartletCore
import Synchronization

/// Threads of our own on which handlers run, and nothing else does: one that blocks holds up other handlers, but never claims,
/// settlements or heartbeats, which live on Swift's pool and on threads of their own.
///
/// Each slot is a task executor (SE-0417) that sends the pieces of its runner here, so it is known at any moment which job
/// holds which thread, and since when. Threads begin when there is work for them. While some are held for long, others take
/// their place, up to a bound.
final class HandlerThreads: Sendable {
    /// A slot and the thread it is on.
    struct Hold {
        let slot: Slot
        let since: Moment
    }

    /// What a look at the threads finds.
    struct Findings {
        /// Threads that were held for longer than ``patience``.
        var holds: [Hold] = []
        /// How long the first piece that waits has done so.
        var lag: Duration = .zero
        /// Whether any thread does anything.
        var isBusy = false
    }

    /// A thread held for longer than this is not available to others, whatever it does.
    static let patience: Duration = .milliseconds(500)

    /// So many threads there may be.
    let most: Int
    private let name: String
    private let state: Mutex<ThreadsState>

    /// - Parameters:
    ///   - width: at most this many threads, but for those that replace held ones.
    ///   - reserve: so many more, while that many are held.
    init(name: String, width: Int, reserve: Int) {
        precondition(width > 0 && reserve >= 0)
        self.name = name
        most = width + reserve
        state = Mutex(ThreadsState(width: width, reserve: reserve))
    }

    func submit(_ job: UnownedJob, of slot: Slot) {
        act(state.withLock { $0.submit(ThreadsState.Piece(job: job, slot: slot, since: .now)) })
    }

    /// Looks for held threads, and puts others in their place.
    func look(now: Moment) -> Findings {
        let (findings, actions) = state.withLock { $0.look(now: now) }
        for action in actions { act(action) }
        return findings
    }

    /// Threads that have nothing to do end, and the others once they are done.
    func close() {
        for thread in state.withLock({ $0.close() }) { thread.semaphore.signal() }
    }

    private func act(_ action: ThreadsState.Action) {
        switch action {
        case .none: break
        case .wake(let thread): thread.semaphore.signal()
        case .start(let thread): start(thread)
        }
    }

    private func start(_ parked: ParkedThread) {
        let thread = Thread { [self] in
            martlet_name_thread(name)
            while true {
                switch state.withLock({ $0.next(for: parked, now: .now) }) {
                case .run(let piece): piece.job.runSynchronously(on: piece.slot.asUnownedTaskExecutor())
                case .park: parked.semaphore.wait()
                case .end: return
                }
            }
        }
        thread.start()
    }
}

/// Where one thread sleeps.
final class ParkedThread: Sendable {
    let number: Int
    let semaphore = DispatchSemaphore(value: 0)

    init(number: Int) { self.number = number }
}
