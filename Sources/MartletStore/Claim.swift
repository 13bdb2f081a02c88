import MartletCore

/// What one claim may take.
package struct ClaimRequest: Sendable, Equatable {
    package struct Want: Sendable, Equatable {
        package let kind: String
        /// At most this many jobs of the kind.
        package let limit: Int

        package init(kind: String, limit: Int) {
            self.kind = kind
            self.limit = limit
        }
    }

    package let worker: WorkerID
    package let wants: [Want]
    /// nil: all queues.
    package let queues: [String]?
    /// At most this many jobs in all.
    package let limit: Int

    package init(worker: WorkerID, wants: [Want], queues: [String]? = nil, limit: Int) {
        self.worker = worker
        self.wants = wants
        self.queues = queues
        self.limit = limit
    }
}

/// A chunk of jobs of one lane that one worker holds. Opens exactly one settlement for each of them.
package struct Lease: Sendable {
    package let id: LeaseID
    package let kind: String
    package let queue: String
    package let priority: Priority
    package let jobs: [LeasedJob]

    package init(id: LeaseID, kind: String, queue: String, priority: Priority, jobs: [LeasedJob]) {
        self.id = id
        self.kind = kind
        self.queue = queue
        self.priority = priority
        self.jobs = jobs
    }
}

/// One job of a lease; its index in ``Lease/jobs`` is its name within the lease.
package struct LeasedJob: Sendable {
    package let id: JobID
    /// Number of the attempt this lease allows, from 1.
    package let attempt: Int
    /// How many workers, or children that ran it alone, died while they held it.
    package let crashes: Int
    package let maxAttempts: Int?
    package let timeout: Duration?
    /// How long after the claim it may still be started, by the database's clock; negative when its time was over. Nil: for ever.
    package let expiresIn: Duration?
    package let enqueuedAt: Timestamp
    package let args: JSONText

    package init(
        id: JobID, attempt: Int, crashes: Int, maxAttempts: Int?, timeout: Duration?, expiresIn: Duration? = nil,
        enqueuedAt: Timestamp, args: JSONText
    ) {
        self.id = id
        self.attempt = attempt
        self.crashes = crashes
        self.maxAttempts = maxAttempts
        self.timeout = timeout
        self.expiresIn = expiresIn
        self.enqueuedAt = enqueuedAt
        self.args = args
    }
}
