import MartletCore

/// How one leased job ended.
package struct Settlement: Sendable, Equatable {
    package let lease: LeaseID
    /// The job's index in ``Lease/jobs``.
    package let index: Int
    package let ending: Ending
    /// The attempts the job had, as decided where it ran; kept with the error so that a listing can show them.
    package let maxAttempts: Int
    /// How many nanoseconds after the claim the handler began, and how many it ran. By the worker's monotonic clock.
    private let nanoseconds: (waited: Int64, ran: Int64)
    private let extras: Extras?

    /// What few runs have. It stands apart, because a settlement is copied from one hand to the next for each job.
    private final class Extras: Sendable {
        let usage: Usage?
        let followUps: [NewJob]

        init(usage: Usage?, followUps: [NewJob]) {
            self.usage = usage
            self.followUps = followUps
        }
    }

    package init(
        lease: LeaseID, index: Int, ending: Ending, maxAttempts: Int, waited: Duration, ran: Duration, usage: Usage? = nil,
        followUps: [NewJob] = []
    ) {
        self.init(
            lease: lease, index: index, ending: ending, maxAttempts: maxAttempts,
            nanoseconds: (waited.nanoseconds, ran.nanoseconds), usage: usage, followUps: followUps)
    }

    package init(
        lease: LeaseID, index: Int, ending: Ending, maxAttempts: Int, nanoseconds: (waited: Int64, ran: Int64),
        usage: Usage? = nil, followUps: [NewJob] = []
    ) {
        self.lease = lease
        self.index = index
        self.ending = ending
        self.maxAttempts = maxAttempts
        self.nanoseconds = nanoseconds
        extras = usage == nil && followUps.isEmpty ? nil : Extras(usage: usage, followUps: followUps)
    }

    /// How long after the claim the handler began.
    package var waited: Duration { .nanoseconds(nanoseconds.waited) }
    package var ran: Duration { .nanoseconds(nanoseconds.ran) }
    /// Both as they are stored.
    package var seconds: (waited: Float32, ran: Float32) {
        (Float32(Double(nanoseconds.waited) * 1e-9), Float32(Double(nanoseconds.ran) * 1e-9))
    }

    /// Completed, and nothing is to be kept of it but that.
    package var isPlain: Bool {
        switch ending {
        case .completed(let result): result == nil && extras == nil
        case .retryable, .snoozed, .crashed, .failed, .cancelled, .givenBack: false
        }
    }

    /// Kept where it is known.
    package var usage: Usage? { extras?.usage }
    /// Enqueued with the settlement, exactly when it is accepted.
    package var followUps: [NewJob] { extras?.followUps ?? [] }

    package static func == (a: Settlement, b: Settlement) -> Bool {
        (a.lease, a.index, a.maxAttempts) == (b.lease, b.index, b.maxAttempts) && a.ending == b.ending
            && a.nanoseconds == b.nanoseconds && a.usage == b.usage && a.followUps == b.followUps
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
