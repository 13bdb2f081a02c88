import MartletCore
import MartletStore
import MartletTestSupport
import Testing

@Suite struct FollowUpTests {
    private func next(_ kind: String = "next", _ args: String = "{}") throws -> NewJob {
        try NewJob(kind: kind, args: JSONText(validating: args))
    }

    @Test(arguments: Engine.allCases)
    func `follow-ups are there when the settlement is, whatever they ask for`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let ids = try await fixture.enqueue(count: 3)
            let lease = try await fixture.claim(try await fixture.worker())[0]
            let later = try NewJob(kind: "later", queue: "q", priority: Priority(validating: 2), start: .after(.seconds(60)))
            let other = try NewJob(
                kind: "other", maxAttempts: 3, timeout: .seconds(7), expires: .after(.seconds(600)))
            let reply = try await fixture.store.settle([
                .testing(lease.id, 0, .completed(result: nil), followUps: [try next("next", "[1]"), later]),
                .testing(lease.id, 1, .completed(result: nil)),
                .testing(lease.id, 2, .completed(result: nil), followUps: [try next("next", "[2]"), other]),
            ])
            #expect(reply == SettleReply(lost: [], repeated: 0))
            for id in ids { #expect(try await fixture.state(id) == .completed) }
            #expect(try await fixture.counts() == [.completed: 3, .available: 3, .scheduled: 1])
            let jobs = try await fixture.claim(try await fixture.worker(kinds: ["next"]), "next").flatMap(\.jobs)
            #expect(jobs.map(\.args.string) == ["[1]", "[2]"])
            let taken = try await fixture.claim(try await fixture.worker(kinds: ["other"]), "other").flatMap(\.jobs)
            #expect(taken.map(\.maxAttempts) == [3] && taken.map(\.timeout) == [.seconds(7)])
            #expect(taken.allSatisfy { $0.expiresIn != nil })
            let scheduled = try await fixture.store.list(JobQuery(state: .scheduled)).jobs
            #expect(scheduled.map(\.queue) == ["q"] && scheduled.map(\.priority.rawValue) == [2])
        }
    }

    @Test(arguments: Engine.allCases)
    func `a lost lease enqueues nothing, and a repeated settlement nothing again`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            try await fixture.enqueue(count: 3)
            let worker = try await fixture.worker()
            let lost = try await fixture.claim(worker, limit: 1)[0]
            try await fixture.store.deregister(worker)
            let lease = try await fixture.claim(try await fixture.worker(), limit: 3)[0]
            let first = Settlement.testing(lease.id, 0, .completed(result: nil), followUps: [try next()])
            _ = try await fixture.store.settle([first])
            let reply = try await fixture.store.settle([
                first, .testing(lost.id, 0, .completed(result: nil), followUps: [try next()]),
                .testing(lease.id, 1, .completed(result: nil), followUps: [try next()]),
                .testing(lease.id, 99, .completed(result: nil), followUps: [try next()]),
                .testing(LeaseID(rawValue: 12_345), 0, .completed(result: nil), followUps: [try next()]),
            ])
            #expect(reply == SettleReply(lost: [lost.id, LeaseID(rawValue: 12_345)], repeated: 2))
            let jobs = try await fixture.claim(try await fixture.worker(kinds: ["next"]), "next").flatMap(\.jobs)
            #expect(jobs.count == 2)
        }
    }

    @Test(arguments: Engine.allCases)
    func `of one job settled twice in one call, the first settlement's follow-ups come`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            try await fixture.enqueue()
            let lease = try await fixture.claim(try await fixture.worker())[0]
            let reply = try await fixture.store.settle([
                .testing(lease.id, 0, .completed(result: nil), followUps: [try next("next", "1")]),
                .testing(lease.id, 0, .completed(result: nil), followUps: [try next("next", "2")]),
            ])
            #expect(reply.repeated == 1)
            let jobs = try await fixture.claim(try await fixture.worker(kinds: ["next"]), "next").flatMap(\.jobs)
            #expect(jobs.map(\.args.string) == ["1"])
        }
    }

    @Test(arguments: Engine.allCases)
    func `many settle the same at once, and each follow-up comes once`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            try await fixture.enqueue(count: 50)
            let lease = try await fixture.claim(try await fixture.worker())[0]
            let other = try await fixture.another()
            let job = try next()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<6 {
                    let store = number % 2 == 0 ? fixture.store : other
                    group.addTask {
                        for index in 0..<50 {
                            _ = try await store.settle([
                                .testing(lease.id, index, .completed(result: nil), followUps: [job])
                            ])
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await fixture.counts() == [.completed: 50, .available: 50])
            await other.close()
        }
    }
}
