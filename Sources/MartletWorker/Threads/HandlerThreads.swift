import CMartletLinux
import Foundation
import MartletCore
import Synchronization

/// Threads of our own on which handlers run, and nothing else does: one that blocks holds up other handlers, but never claims,
/// settlements or heartbeats, which live on Swift's pool and on threads of their own.
///
/// Each slot is a task executor (SE-0417) that sends the pieces of its runner here, so it is known at any moment which job
/// holds which thread, and since when. Threads begin when there is work for them. While some are held for long, others take
/// their place, up to a bound. Sleeps of the runners' tasks end here, too.
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
        guard !RunThread.keeps(job, of: slot, for: self) else { return }
        let piece = ThreadsState.Piece(job: job, slot: slot, since: .now)
        act(state.withLock { $0.submit(piece) })
    }

    /// - Parameter job: of the runtime, which ends a sleep by it. It is run by these threads as by Swift's pool: on behalf of
    ///   no slot.
    func submit(_ job: UnownedJob, due: Moment) {
        act(state.withLock { $0.submit(job, due: due) })
    }

    /// - Parameter call: is called once, by the first thread that finds nothing to do, before it waits.
    /// - Returns: false when one has nothing to do already: then it is not called.
    func whenIdle(_ call: @escaping @Sendable () -> Void) -> Bool { state.withLock { $0.whenIdle(call) } }

    /// Looks for held threads, and puts others in their place.
    func look(now: Moment) -> Findings {
        let (findings, actions) = state.withLock { $0.look(now: now) }
        for action in actions { act(action) }
        return findings
    }

    /// Threads that have nothing to do end, and the others once they are done. What sleeps is run when its time comes.
    func close() {
        for action in state.withLock({ $0.close() }) { act(action) }
    }

    private func act(_ action: ThreadsState.Action) {
        switch action {
        case .none: break
        case .wake(let thread): thread.signal()
        case .start(let thread): start(thread)
        case .ring(let moment): ring(at: moment)
        }
    }

    private func start(_ parked: ParkedThread) {
        let thread = Thread { [self] in
            martlet_name_thread(name)
            serve(on: parked)
        }
        thread.start()
    }

    private func serve(on thread: ParkedThread) {
        let runs = RunThread(of: self)
        defer { runs.end() }
        var hasFired = false
        while true {
            let now = Moment.now
            let (step, action) = state.withLock { $0.next(for: thread, fired: hasFired ? runs.brought : nil, now: now) }
            if hasFired { runs.clear() }
            act(action)
            hasFired = false
            switch step {
            case .run(let piece): runs.run(piece)
            case .fire(let sleeps):
                runs.fire(sleeps)
                hasFired = true
            case .call(let call): call()
            case .park(nil): thread.wait()
            case .park(let until?):
                // Whoever took the thread for woken gives it the signal.
                if !thread.wait(atMost: until - .now), !state.withLock({ $0.resign(thread) }) { thread.wait() }
            case .end: return
            }
        }
    }

    private func ring(at moment: Moment) {
        Task.detached { [self] in
            // Nobody cancels this task; if it could not sleep it would only look too early, and sleep again.
            do { try await Task.sleep(for: moment - .now) } catch {}
            act(state.withLock { $0.rang(moment, now: .now) })
        }
    }
}
