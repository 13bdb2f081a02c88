import MartletCore

/// What a worker says about itself when it starts.
package struct WorkerRegistration: Sendable, Equatable {
    /// Shown to people; `host:pid` unless configured.
    package let name: String
    package let host: String
    package let pid: Int
    package let version: String
    package let kinds: [String]
    /// nil: all queues.
    package let queues: [String]?
    package let concurrency: Int
    /// How long the worker may be silent before others take its jobs.
    package let lease: Duration
    /// What it says of itself from the start, a ``WorkerReport``.
    package let report: JSONText?

    package init(
        name: String, host: String, pid: Int, version: String, kinds: [String], queues: [String]?, concurrency: Int,
        lease: Duration, report: JSONText? = nil
    ) {
        self.name = name
        self.host = host
        self.pid = pid
        self.version = version
        self.kinds = kinds
        self.queues = queues
        self.concurrency = concurrency
        self.lease = lease
        self.report = report
    }
}

package struct HeartbeatReply: Sendable, Equatable {
    /// False when the worker had been declared dead: its leases are gone, and it must register anew.
    package let alive: Bool
    /// Running jobs that a person asked to stop, as lease and index.
    package let cancelled: [CancelRequest]

    package init(alive: Bool, cancelled: [CancelRequest]) {
        self.alive = alive
        self.cancelled = cancelled
    }
}

package struct CancelRequest: Sendable, Hashable {
    package let lease: LeaseID
    package let index: Int

    package init(lease: LeaseID, index: Int) {
        self.lease = lease
        self.index = index
    }
}

package struct RecoveryReply: Sendable, Equatable {
    /// Workers found dead by this call.
    package let workers: [WorkerID]
    package let revokedLeases: Int
    /// Jobs that are available again.
    package let recoveredJobs: Int

    package init(workers: [WorkerID], revokedLeases: Int, recoveredJobs: Int) {
        self.workers = workers
        self.revokedLeases = revokedLeases
        self.recoveredJobs = recoveredJobs
    }
}

package struct PromotionReply: Sendable, Equatable {
    package let moved: Int
    /// Time until the next delayed job is due; nil when none waits.
    package let nextDue: Duration?

    package init(moved: Int, nextDue: Duration?) {
        self.moved = moved
        self.nextDue = nextDue
    }
}

package struct WorkerSummary: Sendable, Equatable {
    package let id: WorkerID
    package let name: String
    package let host: String
    package let pid: Int
    package let version: String
    package let kinds: [String]
    package let queues: [String]?
    package let concurrency: Int
    package let startedAt: Timestamp
    package let heartbeatAt: Timestamp
    package let alive: Bool
    package let running: Int
    /// What it said of itself last, a ``WorkerReport``.
    package let report: JSONText?

    package init(
        id: WorkerID, name: String, host: String, pid: Int, version: String, kinds: [String], queues: [String]?,
        concurrency: Int, startedAt: Timestamp, heartbeatAt: Timestamp, alive: Bool, running: Int, report: JSONText? = nil
    ) {
        self.id = id
        self.name = name
        self.host = host
        self.pid = pid
        self.version = version
        self.kinds = kinds
        self.queues = queues
        self.concurrency = concurrency
        self.startedAt = startedAt
        self.heartbeatAt = heartbeatAt
        self.alive = alive
        self.running = running
        self.report = report
    }
}
