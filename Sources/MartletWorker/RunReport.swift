import MartletCore

/// What a run of a handler comes to: how it ended, and what is to be kept with that.
package struct RunReport: Sendable, Equatable {
    package var outcome: Outcome
    /// nil: nobody measured.
    package var usage: Usage?
    /// Jobs to enqueue with the settlement of a run that completed: they come exactly when its completion counts. A run that
    /// ends otherwise enqueues none of them, because what it did is done again, or was not done.
    package var followUps: [NewJob]

    package init(_ outcome: Outcome, usage: Usage? = nil, followUps: [NewJob] = []) {
        self.outcome = outcome
        self.usage = usage
        self.followUps = followUps
    }
}
