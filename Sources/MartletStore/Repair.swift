import MartletCore

/// What a person can do to jobs.
package enum Repair: String, Sendable, CaseIterable {
    case retry, cancel, discard

    /// The states it takes jobs from; a named job in another state is refused.
    package var states: Set<JobState> {
        switch self {
        case .retry: [.failed, .cancelled, .scheduled, .retryable]
        case .cancel: [.scheduled, .available, .running, .retryable]
        case .discard: [.failed, .cancelled]
        }
    }
}

/// Which jobs a repair is meant for.
package enum JobSelection: Sendable, Equatable {
    case ids([JobID])
    /// All jobs that match. `states` is never empty and holds only states the repair takes.
    case matching(states: Set<JobState>, filter: JobFilter)
}

package struct JobFilter: Sendable, Equatable {
    package var kind: String?
    package var queue: String?
    /// Enqueued at this moment or later.
    package var since: Timestamp?
    /// A group of ``FailureGroup``.
    package var fingerprint: String?

    package init(kind: String? = nil, queue: String? = nil, since: Timestamp? = nil, fingerprint: String? = nil) {
        self.kind = kind
        self.queue = queue
        self.since = since
        self.fingerprint = fingerprint
    }
}

package struct RepairReply: Sendable, Equatable {
    /// Jobs that were changed, or would be. Running jobs that were asked to stop count.
    package let changed: Int
    /// Of those, running jobs that have only been asked to stop.
    package let requested: Int
    /// Named jobs whose state does not allow it.
    package let refused: [Refusal]
    package let missing: [JobID]

    package struct Refusal: Sendable, Equatable {
        package let id: JobID
        package let state: JobState

        package init(id: JobID, state: JobState) {
            self.id = id
            self.state = state
        }
    }

    package init(changed: Int, requested: Int = 0, refused: [Refusal] = [], missing: [JobID] = []) {
        self.changed = changed
        self.requested = requested
        self.refused = refused
        self.missing = missing
    }
}

/// What a queue that was restored from a dump needs before anybody may work with it.
package struct RebaseReply: Sendable, Equatable {
    /// False: the queue is at home in this cluster, and nothing is to be done.
    package let needed: Bool
    /// Jobs that waited, and jobs that were running when the dump was taken. All of them wait afterwards.
    package let available: Int
    package let running: Int

    package init(needed: Bool, available: Int, running: Int) {
        self.needed = needed
        self.available = available
        self.running = running
    }
}
