import MartletCore

/// What a run of a handler comes to: how it ended, and what is to be kept with that.
///
/// Small, because the room for it is part of each frame between the worker and a run that waits.
package struct RunReport: Sendable, Equatable {
    package var outcome: Outcome
    private let measured: Measured
    /// Jobs to enqueue with the settlement of a run that completed: they come exactly when its completion counts. A run that
    /// ends otherwise enqueues none of them, because what it did is done again, or was not done.
    package var followUps: [NewJob]

    private enum Measured: Equatable {
        case nothing
        indirect case usage(Usage)
    }

    package init(_ outcome: Outcome, usage: Usage? = nil, followUps: [NewJob] = []) {
        self.outcome = outcome
        measured = usage.map { .usage($0) } ?? .nothing
        self.followUps = followUps
    }

    /// nil: nobody measured.
    package var usage: Usage? {
        switch measured {
        case .nothing: nil
        case .usage(let usage): usage
        }
    }
}
