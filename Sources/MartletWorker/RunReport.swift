import MartletCore

/// What a run of a handler comes to: how it ended, and what is to be kept with that.
package struct RunReport: Sendable, Equatable {
    package var outcome: Outcome
    /// nil: nobody measured.
    package var usage: Usage?

    package init(_ outcome: Outcome, usage: Usage? = nil) {
        self.outcome = outcome
        self.usage = usage
    }
}
