import MartletCore
import MartletStore
import Synchronization

/// Where a run says how far it is: the worker's board, or the way to it from a child process.
package protocol ProgressSink: Sendable {
    /// Quick, and never waits.
    func tell(_ call: HandlerCall, fraction: Double?, note: String?)
}

/// Takes what runs say of how far they are, and writes it about once a second: all of it in one call, the last of each job.
final class ProgressBoard: ProgressSink {
    private struct Job: Hashable {
        let lease: LeaseID
        let index: Int
    }

    private struct State {
        var said: [Job: JobProgress] = [:]
        var isClosed = false
    }

    private static let pace: Duration = .seconds(1)

    private let store: any JobStore
    private let access: StoreAccess
    private let state = Mutex(State())
    private let wake = Signal()
    private let closing = Signal()

    init(store: any JobStore, access: StoreAccess) {
        self.store = store
        self.access = access
    }

    func tell(_ call: HandlerCall, fraction: Double?, note: String?) {
        let progress = JobProgress(lease: call.lease, index: call.index, fraction: fraction, note: note)
        let isFirst = state.withLock { state in
            guard !state.isClosed else { return false }
            defer { state.said[Job(lease: progress.lease, index: progress.index)] = progress }
            return state.said.isEmpty
        }
        if isFirst { wake.raise() }
    }

    /// Ends after ``close()``.
    /// - Parameter lost: called with leases the store had given to others.
    func run(lost: @Sendable (Set<LeaseID>) -> Void) async {
        while true {
            let (reports, isClosed) = state.withLock { state in
                defer { state.said = [:] }
                return (Array(state.said.values), state.isClosed)
            }
            if isClosed { return }
            guard !reports.isEmpty else {
                await wake.wait(atMost: .seconds(3_600))
                continue
            }
            do {
                let gone = try await store.progress(reports)
                access.succeeded(.progress)
                if !gone.isEmpty { lost(gone) }
            } catch {
                // What was said is old by the time the store is back; the next that is said replaces it.
                guard access.failed(error, .progress) else { return }
            }
            await closing.wait(atMost: Self.pace)
        }
    }

    func close() {
        state.withLock { $0.isClosed = true }
        wake.raise()
        closing.raise()
    }
}
