import MartletCore
import MartletStore
import Testing

@testable import MartletApp

extension Session {
    func withStore<Result>(_ body: (any JobStore) async throws -> Result) async throws -> Result {
        let store = try await OpenStore.open(.sqlite(path: database), .creating)
        let result: Result
        do {
            result = try await body(store)
        } catch {
            await store.close()
            throw error
        }
        await store.close()
        return result
    }

    @discardableResult
    func enqueue(_ jobs: NewJob...) async throws -> [JobID] {
        try await withStore { try await $0.enqueue(jobs) }
    }

    /// Does what a worker does with every available job of a kind, and ends each as told.
    func work(_ kind: String, _ ending: (LeasedJob) -> Ending) async throws {
        try await withStore { store in
            let worker = try await store.register(.example(kinds: [kind]))
            let leases = try await store.claim(
                ClaimRequest(worker: worker, wants: [.init(kind: kind, limit: 1_000)], limit: 1_000))
            let settlements = leases.flatMap { lease in
                lease.jobs.enumerated().map { index, job in
                    Settlement(
                        lease: lease.id, index: index, ending: ending(job), maxAttempts: job.maxAttempts ?? 25,
                        waited: .milliseconds(1), ran: .milliseconds(5))
                }
            }
            try #require(!settlements.isEmpty)
            let reply = try await store.settle(settlements)
            #expect(reply == SettleReply(lost: [], repeated: 0))
            try await store.deregister(worker)
        }
    }

    func counts() async throws -> [JobState: Int] {
        try await withStore { try await $0.stats().counts }
    }
}

extension WorkerRegistration {
    static func example(kinds: [String]) -> WorkerRegistration {
        WorkerRegistration(
            name: "tester:1", host: "tester", pid: 1, version: "0", kinds: kinds, queues: nil, concurrency: 4,
            lease: .seconds(30))
    }
}
