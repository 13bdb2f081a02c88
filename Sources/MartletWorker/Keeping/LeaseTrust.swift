import MartletCore

/// How long the worker may believe that its leases are its own, without asking.
///
/// The store counts a lease from the moment it writes the renewal, which is not before the worker sent it: so counting from the
/// start of the last good renewal can only err on the safe side. The margin leaves time to stop handlers before another worker
/// may begin the same jobs.
struct LeaseTrust: Equatable {
    private let lease: Duration
    private(set) var ends: Moment

    /// - Parameter renewedAt: the start of the call that made or renewed the leases.
    init(lease: Duration, renewedAt: Moment) {
        self.lease = lease
        ends = Self.end(lease, renewedAt)
    }

    mutating func renew(startedAt: Moment) {
        ends = max(ends, Self.end(lease, startedAt))
    }

    func holds(now: Moment) -> Bool { now < ends }

    private static func end(_ lease: Duration, _ start: Moment) -> Moment { start + (lease - lease / 6) }
}
