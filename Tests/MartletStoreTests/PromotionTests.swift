import MartletCore
import MartletStore
import MartletTestSupport
import Testing

@Suite struct PromotionTests {
    @Test(arguments: Engine.allCases)
    func `a scheduled job is available when it is due, not before`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let id = try await fixture.enqueue(start: .after(.seconds(60)))[0]
            let before = try await fixture.store.promote(limit: 100)
            #expect(before.moved == 0)
            let due = try #require(before.nextDue)
            #expect(due > .seconds(50) && due <= .seconds(60))
            #expect(try await fixture.state(id) == .scheduled)
            fixture.advance(.seconds(60))
            #expect(try await fixture.store.promote(limit: 100) == PromotionReply(moved: 1, nextDue: nil))
            let job = try #require(try await fixture.store.job(id)).summary
            #expect(job.state == .available)
            #expect(job.runAt != nil)
            let lease = try await fixture.claim(try await fixture.worker())[0]
            #expect(lease.jobs.map(\.id) == [id])
            #expect(lease.jobs[0].attempt == 1)
        }
    }

    @Test(arguments: Engine.allCases)
    func `what is due first goes first, in pieces`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let late = try await fixture.enqueue(count: 3, start: .after(.seconds(20)))
            let early = try await fixture.enqueue(count: 3, start: .after(.seconds(10)))
            fixture.advance(.seconds(30))
            #expect(try await fixture.store.promote(limit: 4).moved == 4)
            #expect(try await fixture.store.promote(limit: 4).moved == 2)
            #expect(try await fixture.store.promote(limit: 4).moved == 0)
            let order = try await fixture.claim(try await fixture.worker()).flatMap(\.jobs).map(\.id)
            #expect(order == early + late)
        }
    }

    @Test(arguments: Engine.allCases)
    func `a retry keeps its id, args and errors over the wait`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let id = try await fixture.enqueue(args: #"{"n": 1}"#)[0]
            let worker = try await fixture.worker()
            try await fixture.settle(try await fixture.claim(worker)[0], 0, .retryable(.boom, after: .seconds(5)))
            #expect(try await fixture.claim(worker).isEmpty)
            fixture.advance(.seconds(5))
            #expect(try fixture.store.heartbeat(worker).alive)
            _ = try await fixture.store.promote(limit: 10)
            let again = try await fixture.claim(worker)[0]
            #expect(again.jobs.map(\.id) == [id])
            #expect(again.jobs[0].attempt == 2)
            #expect(again.jobs[0].args.string == #"{"n": 1}"#)
            try await fixture.settle(again, 0, .completed(result: nil))
            #expect(try await fixture.store.job(id)?.errors.count == 1)
            #expect(try await fixture.counts() == [.completed: 1])
        }
    }

    @Test(arguments: Engine.allCases)
    func `many promote at once, and each job is moved once`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            try await fixture.enqueue(count: 300, start: .after(.seconds(1)))
            fixture.advance(.seconds(2))
            let moved = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<10 { group.addTask { try await fixture.store.promote(limit: 50).moved } }
                return try await group.reduce(0, +)
            }
            #expect(moved == 300)
            #expect(try await fixture.counts() == [.available: 300])
        }
    }
}
