/// What can go wrong around a run, whatever the run does: see ``TestQueue/inject(_:into:)``.
public enum Fault: Sendable, CaseIterable {
    /// The worker loses its lease without noticing, and another one runs the same job at the same time. What the first of the
    /// two says in the end is refused.
    case deliverTwice
    /// The run ends, and its worker dies before that is written down: the job runs again.
    case loseSettlement
    /// The lease is over as soon as the run begins: its task is cancelled, nothing it says counts, and the job runs again.
    case expireLease
}
