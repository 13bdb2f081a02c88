import MartletCore
import MartletStore

/// Short ways to say what most tests need.
extension StoreFixture {
    @discardableResult
    package func enqueue(
        _ kind: String = "work", count: Int = 1, args: String = "{}", queue: String = "default", priority: Int = 5,
        start: NewJob.Start = .now, maxAttempts: Int? = nil, timeout: Duration? = nil,
        expires: NewJob.Expiry? = nil
    ) async throws -> [JobID] {
        let job = try NewJob(
            kind: kind, args: JSONText(validating: args), queue: queue, priority: Priority(validating: priority),
            start: start, maxAttempts: maxAttempts, timeout: timeout, expires: expires)
        return try await store.enqueue(Array(repeating: job, count: count))
    }

    package func worker(_ name: String = "tester", kinds: [String] = ["work"], lease: Duration = .seconds(30)) async throws
        -> WorkerID
    {
        try await store.register(.testing(name, kinds: kinds, lease: lease))
    }

    package func claim(_ worker: WorkerID, _ kinds: String..., queues: [String]? = nil, limit: Int = 100) async throws
        -> [Lease]
    {
        try await store.claim(.testing(worker, kinds: kinds.isEmpty ? ["work"] : kinds, queues: queues, limit: limit))
    }

    @discardableResult
    package func settle(_ lease: Lease, _ index: Int = 0, _ ending: Ending, maxAttempts: Int = 25) async throws
        -> SettleReply
    {
        try await store.settle([.testing(lease.id, index, ending, maxAttempts: maxAttempts)])
    }

    package func state(_ id: JobID) async throws -> JobState? { try await store.job(id)?.summary.state }

    /// Counts of the states that have any.
    package func counts() async throws -> [JobState: Int] {
        try await store.stats().counts.filter { $0.value != 0 }
    }

    /// A job that failed for good.
    package func failedJob(_ message: String = "boom", kind: String = "work") async throws -> JobID {
        let id = try await enqueue(kind)[0]
        let worker = try await worker(kinds: [kind])
        let lease = try await claim(worker, kind)[0]
        try await settle(lease, 0, .failed(JobError(type: "exit", message: message), .exhausted))
        try await store.deregister(worker)
        return id
    }
}

extension WorkerRegistration {
    package static func testing(
        _ name: String, kinds: [String] = ["work"], queues: [String]? = nil, lease: Duration = .seconds(30)
    )
        -> WorkerRegistration
    {
        WorkerRegistration(
            name: name, host: "localhost", pid: 1, version: "test", kinds: kinds, queues: queues, concurrency: 10,
            lease: lease)
    }
}

extension ClaimRequest {
    package static func testing(_ worker: WorkerID, kinds: [String] = ["work"], queues: [String]? = nil, limit: Int = 100)
        -> ClaimRequest
    {
        ClaimRequest(
            worker: worker, wants: kinds.map { Want(kind: $0, limit: limit) }, queues: queues, limit: limit)
    }
}

extension Settlement {
    package static func testing(
        _ lease: LeaseID, _ index: Int, _ ending: Ending, maxAttempts: Int = 25, usage: Usage? = nil,
        followUps: [NewJob] = []
    ) -> Settlement {
        Settlement(
            lease: lease, index: index, ending: ending, maxAttempts: maxAttempts, waited: .milliseconds(1),
            ran: .milliseconds(5), usage: usage, followUps: followUps)
    }
}

extension JobError {
    package static let boom = JobError(type: "exit", message: "boom", detail: "stack")
}
