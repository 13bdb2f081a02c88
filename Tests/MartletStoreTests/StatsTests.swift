import MartletCore
import MartletStore
import MartletTestSupport
import Testing

@Suite struct StatsTests {
    @Test(arguments: Engine.allCases)
    func `the oldest available job's age is that of its waiting`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            #expect(try await fixture.store.stats().oldestAvailable == nil)
            try await fixture.enqueue(start: .after(.seconds(100)))
            fixture.advance(.seconds(30))
            try await fixture.enqueue()
            fixture.advance(.seconds(20))
            let age = try #require(try await fixture.store.stats().oldestAvailable)
            #expect(age >= .seconds(20) && age < .seconds(30))
        }
    }

    @Test(arguments: Engine.allCases)
    func `queues say who serves them`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            try await fixture.enqueue("a", count: 3, queue: "x", priority: 1)
            try await fixture.enqueue("a", count: 2, queue: "x", priority: 9)
            try await fixture.enqueue("b", queue: "x")
            _ = try await fixture.store.register(.testing("w", kinds: ["a"], queues: ["x"]))
            _ = try await fixture.store.register(.testing("v", kinds: ["b"], queues: ["y"]))
            let queues = try await fixture.store.queues()
            #expect(queues.map(\.kind) == ["a", "b"])
            #expect(queues[0].counts[.available] == 5)
            #expect(queues[0].workers == 1)
            #expect(queues[1].workers == 0)
        }
    }

    @Test(arguments: Engine.allCases)
    func `failures are grouped by kind and error, the newest group first`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            _ = try await fixture.failedJob("timed out after 30 s")
            fixture.advance(.seconds(1))
            _ = try await fixture.failedJob("no such file: '/tmp/a'")
            fixture.advance(.seconds(1))
            let last = try await fixture.failedJob("timed out after 31 s")
            _ = try await fixture.failedJob("timed out after 31 s", kind: "other")
            let groups = try await fixture.store.failures(limit: 10)
            #expect(groups.map(\.count) == [1, 2, 1])
            #expect(groups.map(\.kind) == ["other", "work", "work"])
            #expect(groups[1].example == last)
            #expect(groups[1].message == "timed out after 31 s")
            #expect(groups[1].lastSeen - groups[1].firstSeen >= .seconds(2))
            #expect(try await fixture.store.failures(limit: 1).count == 1)
        }
    }
}
