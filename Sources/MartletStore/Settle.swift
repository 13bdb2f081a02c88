import MartletCore

/// How one leased job ended.
package struct Settlement: Sendable, Equatable {
    package let lease: LeaseID
    /// The job's index in ``Lease/jobs``.
    package let index: Int
    package let ending: Ending
    /// The attempts the job had, as decided where it ran; kept with the error so that a listing can show them.
    package let maxAttempts: Int
    /// How long after the claim the handler began, and how long it ran. By the worker's monotonic clock.
    package let waited: Duration
    package let ran: Duration
    /// Kept where it is known.
    package let usage: Usage?
    /// Enqueued with the settlement, exactly when it is accepted.
    package let followUps: [NewJob]

    package init(
        lease: LeaseID, index: Int, ending: Ending, maxAttempts: Int, waited: Duration, ran: Duration, usage: Usage? = nil,
        followUps: [NewJob] = []
    ) {
        self.lease = lease
        self.index = index
        self.ending = ending
        self.maxAttempts = maxAttempts
        self.waited = waited
        self.ran = ran
        self.usage = usage
        self.followUps = followUps
    }
}

package struct SettleReply: Sendable, Equatable {
    /// Leases that were no longer the worker's: revoked, or never there. Nothing of them was written.
    package let lost: Set<LeaseID>
    /// Settlements of jobs that had been settled under the same lease before. Nothing of them was written.
    package let repeated: Int

    package init(lost: Set<LeaseID>, repeated: Int) {
        self.lost = lost
        self.repeated = repeated
    }
}
