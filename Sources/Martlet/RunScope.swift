import MartletCore
import Synchronization

/// What one run has gathered for its end.
final class RunScope: Sendable {
    private struct State {
        var followUps: [NewJob] = []
        var bytes = 0
        var isOver = false
    }

    private let state = Mutex(State())

    func add(_ jobs: [NewJob]) throws {
        try state.withLock { state in
            guard !state.isOver else {
                throw InvalidInput(field: "follow-ups", reason: "come too late: the run is over")
            }
            let bytes = jobs.reduce(state.bytes) { $0 + $1.args.utf8.count }
            let count = state.followUps.count + jobs.count
            guard count <= Limits.enqueueBatch, bytes <= Limits.followUpBytes else {
                throw InvalidInput(
                    field: "follow-ups",
                    reason: "\(count) with \(bytes) bytes of args in one run; at most \(Limits.enqueueBatch) and "
                        + "\(Limits.followUpBytes); a client takes more")
            }
            state.followUps += jobs
            state.bytes = bytes
        }
    }

    /// Nothing is taken after that.
    func end() -> [NewJob] {
        state.withLock { state in
            state.isOver = true
            return state.followUps
        }
    }
}
