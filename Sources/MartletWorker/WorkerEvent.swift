import MartletCore
import MartletStore

/// What happens in a worker, as it happens: the one source of logs, progress and tests.
///
/// Observers are called where the event arises, on a hot path and from several threads at once: they must be quick and
/// must not block. Without an observer nothing is made for single jobs that begin or are completed.
package enum WorkerEvent: Sendable {
    case started(name: String, kinds: [String])
    /// At the start, and again after the worker had been declared dead.
    case registered(WorkerID)
    /// One answer of the store.
    case claimed(leases: Int, jobs: Int)
    case jobStarted(kind: String, id: JobID, attempt: Int)
    /// The handler is done. It is durable once its settlement is, shortly after.
    case jobEnded(kind: String, id: JobID, attempt: Int, ending: Ending, ran: Duration)
    /// A handler went on after it was cancelled, for longer than its ``Handler/unwind``; its slot was written off. It may
    /// still use a thread.
    case abandoned(kind: String, id: JobID, lease: LeaseID)
    /// A job has held one of the threads that coroutines share for longer than ``HandlerThreads/patience``. At most now and
    /// then for each kind.
    case blocked(kind: String, id: JobID, held: Duration, moves: Bool)
    /// Handlers that were given up hold all of so many threads: what is to run there waits until one of them ends, or for ever.
    case threadsLost(HandlerPlace, threads: Int)
    /// About once a second while something runs: the longest that a task waited for a thread that coroutines share, and the
    /// resident bytes.
    case pulse(lag: Duration, memory: Int?)
    /// Another number of runs of the kind at a time stands from now on.
    case adapted(kind: String, concurrency: Int, reason: String)
    /// The worker takes more memory than it may, and stops: in bytes.
    case memoryExceeded(resident: Int, limit: Int)
    /// A number of endings became durable.
    case settled(Int)
    /// The store had given these leases to others; `dropped` endings were not written.
    case leasesLost(Set<LeaseID>, dropped: Int)
    /// The worker no longer trusts any of its leases: it cancels their handlers and registers anew.
    case heartbeatLost(HeartbeatLoss)
    /// Running jobs that a person asked to stop.
    case cancelRequested(Int)
    case recovered(RecoveryReply)
    case promoted(Int)
    /// Ended jobs whose retention is over.
    case removed(Int)
    /// A call failed that may succeed later. Once per outage: until ``storeAvailable``.
    case storeUnavailable(StoreError)
    /// Every kind of call that failed has succeeded again, or something was durably written.
    case storeAvailable
    /// Nothing is left to do now, and the worker was asked to end then. What is left for others, or for later, and how long
    /// until the next of those is due; nil: the store did not say.
    case drained(Leftovers?, next: Duration?)
    case stopping(StopMode)
    /// The worker ends, and could not write how so many jobs ended: they run again once its lease is over.
    case unsettled(Int)
    case stopped(WorkerTally)
}

package enum HeartbeatLoss: String, Sendable {
    /// The store says so.
    case declaredDead
    /// No renewal succeeded for almost a lease time.
    case expired
    /// The answer to a claim was lost: there may be a lease that nobody here knows of.
    case unansweredClaim
}

package enum StopMode: Sendable, Comparable {
    /// Running handlers get their grace, then are cancelled.
    case graceful
    /// Running handlers are cancelled at once. They still have their ``Handler/unwind``: see ``WorkerConfiguration/grace``.
    case now
}
