import MartletCore
import MartletStore
import MartletTestSupport
import Testing

@Suite struct LifeTests {
    /// Seeded random lives: workers claim, settle with every ending, die and come back as zombies; people cancel and retry.
    @Test(arguments: Engine.allCases, [1, 2, 3, 4] as [UInt64])
    func `however lives mix, each job is in one place and ends once`(_ engine: Engine, _ seed: UInt64) async throws {
        try await withStore(engine) { fixture in
            var random = SplitMix64(seed: seed)
            var leases: [Lease] = []
            var dead: [Lease] = []
            var worker = try await fixture.worker(lease: .seconds(30))
            var enqueued = 0
            for _ in 0..<300 {
                switch Int.random(in: 0..<12, using: &random) {
                case 0...2:
                    let count = Int.random(in: 1...20, using: &random)
                    let start: NewJob.Start = Bool.random(using: &random) ? .now : .after(.seconds(5))
                    try await fixture.enqueue(count: count, priority: Int.random(in: 0...2, using: &random), start: start)
                    enqueued += count
                case 3...5:
                    leases += try await fixture.claim(worker, limit: Int.random(in: 1...25, using: &random))
                case 6...8:
                    guard let lease = leases.randomElement(using: &random) else { continue }
                    let index = Int.random(in: 0..<lease.jobs.count, using: &random)
                    try await fixture.settle(lease, index, Ending.any(using: &random))
                case 9:
                    fixture.advance(.seconds(6))
                    _ = try fixture.store.heartbeat(worker)
                    _ = try await fixture.store.promote(limit: 15)
                case 10:
                    if let zombie = dead.randomElement(using: &random) {
                        let before = try await fixture.counts()
                        let reply = try await fixture.settle(zombie, 0, Ending.any(using: &random))
                        #expect(reply.lost == [zombie.id] || reply.repeated == 1)
                        #expect(try await fixture.counts() == before)
                    }
                    fixture.advance(.seconds(31))
                    _ = try await fixture.store.recover()
                    dead += leases
                    leases = []
                    worker = try await fixture.worker(lease: .seconds(30))
                default:
                    let ids = (0..<5).map { _ in JobID(rawValue: Int64.random(in: 1...400, using: &random)) }
                    _ = try await fixture.store.cancel(.ids(ids))
                    _ = try await fixture.store.retry(.ids(ids.filter { $0.rawValue % 2 == 0 }))
                }
                let counts = try await fixture.store.stats().counts
                #expect(counts.values.reduce(0, +) == enqueued, "a job was lost or doubled")
            }
            try await drain(fixture, worker)
            let left = try await fixture.counts()
            #expect(left.keys.filter { !$0.isFinal } == [])
            #expect(left.values.reduce(0, +) == enqueued)
        }
    }

    private func drain(_ fixture: StoreFixture, _ last: WorkerID) async throws {
        try await fixture.store.deregister(last)
        let worker = try await fixture.worker(lease: .seconds(90_000))
        while true {
            fixture.advance(.seconds(700))
            _ = try fixture.store.heartbeat(worker)
            let moved = try await fixture.store.promote(limit: 10_000)
            let leases = try await fixture.claim(worker, limit: 1_000)
            for lease in leases {
                _ = try await fixture.store.settle(
                    lease.jobs.indices.map { .testing(lease.id, $0, .completed(result: nil)) })
            }
            if leases.isEmpty && moved.nextDue == nil { return }
        }
    }
}

extension Ending {
    fileprivate static func any(using random: inout some RandomNumberGenerator) -> Ending {
        let all: [Ending] = [
            .completed(result: nil), .completed(result: .emptyObject), .retryable(.boom, after: .zero),
            .retryable(.boom, after: .seconds(3)), .snoozed(.seconds(4)), .failed(.boom, .exhausted),
            .failed(.boom, .discarded), .cancelled, .givenBack,
        ]
        return all.randomElement(using: &random)!
    }
}
