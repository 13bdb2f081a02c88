import MartletCore
import MartletStore
import MartletTestSupport
import Testing

@Suite struct RetentionTests {
    private let policy = RetentionPolicy(completed: .seconds(3_600), failed: .seconds(7_200))

    private func retain(_ fixture: StoreFixture) async throws -> Int {
        var removed = 0
        while true {
            let piece = try await fixture.store.retain(policy, limit: 100)
            if piece == 0 { return removed }
            removed += piece
        }
    }

    @Test(arguments: Engine.allCases)
    func `what ended long ago goes, all else stays`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let worker = try await fixture.worker(lease: .seconds(90_000))
            let ids = try await fixture.enqueue(count: 6)
            let lease = try await fixture.claim(worker, limit: 5)[0]
            let endings: [Ending] = [
                .completed(result: .emptyObject), .failed(.boom, .exhausted), .cancelled,
                .retryable(.boom, after: .seconds(90_000)), .retryable(.boom, after: .zero),
            ]
            for (index, ending) in endings.enumerated() { try await fixture.settle(lease, index, ending) }
            #expect(try await retain(fixture) == 0)
            fixture.advance(.seconds(3_700))
            _ = try await retain(fixture)
            #expect(try await fixture.state(ids[0]) == nil)
            #expect(try await fixture.state(ids[1]) == .failed)
            #expect(try await fixture.state(ids[3]) == .retryable)
            #expect(try await fixture.counts() == [.failed: 1, .cancelled: 1, .retryable: 1, .available: 2])
            fixture.advance(.seconds(3_700))
            _ = try await retain(fixture)
            #expect(try await fixture.state(ids[1]) == nil)
            #expect(try await fixture.store.failures(limit: 5) == [])
            #expect(try await fixture.counts() == [.retryable: 1, .available: 2])
            #expect(try await fixture.store.job(ids[3])?.errors.count == 1)
            #expect(try await fixture.claim(worker).flatMap(\.jobs).map(\.id) == [ids[5], ids[4]])
        }
    }

    @Test(arguments: Engine.allCases)
    func `there is an end to it while jobs come of age all the time`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let worker = try await fixture.worker(lease: .seconds(90_000))
            for _ in 0..<300 {
                try await fixture.enqueue()
                let lease = try await fixture.claim(worker)[0]
                try await fixture.settle(lease, 0, .completed(result: nil))
                fixture.advance(.milliseconds(20))
            }
            fixture.advance(.seconds(3_597))
            var pieces: [Int] = []
            while pieces.last != 0, pieces.count < 20 {
                pieces.append(try await fixture.store.retain(policy, limit: 100))
                fixture.advance(.milliseconds(100))
            }
            #expect(pieces.last == 0, "\(pieces)")
        }
    }

    @Test(arguments: Engine.allCases)
    func `the cursor stays where it was when all before it has gone`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let worker = try await fixture.worker(lease: .seconds(90_000))
            try await fixture.enqueue(count: 300)
            for lease in try await fixture.claim(worker, limit: 300) {
                _ = try await fixture.store.settle(
                    lease.jobs.indices.map { .testing(lease.id, $0, .completed(result: nil)) })
            }
            fixture.advance(.seconds(3_700))
            #expect(try await retain(fixture) >= 300)
            #expect(try await fixture.counts() == [:])
            #expect(try await fixture.claim(worker).isEmpty)
            let new = try await fixture.enqueue(count: 2)
            #expect(try await fixture.claim(worker).flatMap(\.jobs).map(\.id) == new)
        }
    }

    @Test(arguments: Engine.allCases)
    func `waiting jobs outlive any retention`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let worker = try await fixture.worker(lease: .seconds(900_000))
            let ids = try await fixture.enqueue(count: 4)
            let lease = try await fixture.claim(worker, limit: 2)[0]
            try await fixture.settle(lease, 0, .completed(result: nil))
            fixture.advance(.seconds(90_000))
            _ = try await retain(fixture)
            #expect(try await fixture.state(ids[1]) == .running)
            #expect(try await fixture.settle(lease, 1, .completed(result: nil)).lost == [])
            #expect(try await fixture.claim(worker).flatMap(\.jobs).map(\.id) == [ids[2], ids[3]])
        }
    }

    @Test(arguments: Engine.allCases)
    func `what was done under a lease that was revoked later goes whole`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let id = try await fixture.enqueue(count: 2)[0]
            let worker = try await fixture.worker(lease: .seconds(10))
            let lease = try await fixture.claim(worker)[0]
            try await fixture.settle(lease, 0, .completed(result: .emptyObject))
            fixture.advance(.seconds(11))
            _ = try await fixture.store.recover()
            #expect(try await fixture.store.job(id)?.result != nil)
            fixture.advance(.seconds(3_700))
            _ = try await retain(fixture)
            #expect(try await fixture.state(id) == nil)
            #expect(try await fixture.counts() == [.available: 1])
        }
    }
}
