import MartletCore
import MartletStore
import MartletTestSupport
import Testing

@Suite struct PauseTests {
    @Test(arguments: Engine.allCases)
    func `a paused queue hands nothing out until it is resumed, and no other is touched`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let running = try await fixture.enqueue(queue: "images")[0]
            let worker = try await fixture.worker()
            let lease = try await fixture.claim(worker)[0]
            let waiting = try await fixture.enqueue(queue: "images")[0]
            let other = try await fixture.enqueue(queue: "mail")[0]
            #expect(try await fixture.store.pause(queue: "images", true))
            #expect(try await fixture.claim(worker).flatMap(\.jobs).map(\.id) == [other])
            #expect(try await fixture.claim(worker).isEmpty)
            // What runs goes on, also when it comes back to its queue.
            #expect(
                try await fixture.settle(lease, 0, .retryable(.boom, after: .zero)) == SettleReply(lost: [], repeated: 0))
            #expect(try await fixture.claim(worker, queues: ["images"]).isEmpty)
            #expect(try await fixture.state(running) == .available)

            #expect(try await fixture.store.pause(queue: "images", false))
            #expect(try await Set(fixture.claim(worker).flatMap(\.jobs).map(\.id)) == [running, waiting])
        }
    }

    @Test(arguments: Engine.allCases)
    func `a pause holds for kinds and priorities that come later, and for a queue that nobody has used`(_ engine: Engine)
        async throws
    {
        try await withStore(engine) { fixture in
            #expect(try await fixture.store.pause(queue: "images", true))
            #expect(try await !fixture.store.pause(queue: "images", true))
            #expect(try await !fixture.store.pause(queue: "mail", false))
            try await fixture.enqueue("one", queue: "images")
            try await fixture.enqueue("two", queue: "images", priority: 1)
            try await fixture.enqueue("two", queue: "mail", priority: 1)
            try await fixture.enqueue("two", queue: "images", start: .after(.seconds(5)))
            fixture.advance(.seconds(6))
            #expect(try await fixture.store.promote(limit: 10).moved == 1)
            let worker = try await fixture.worker(kinds: ["one", "two"])
            #expect(try await fixture.claim(worker, "one", "two").map(\.queue) == ["mail"])
            let queues = try await fixture.store.queues()
            #expect(queues.map(\.queue) == ["images", "images", "mail"])
            #expect(queues.map(\.isPaused) == [true, true, false])
            #expect(try await fixture.store.pause(queue: "images", false))
            #expect(try await fixture.claim(worker, "one", "two").flatMap(\.jobs).count == 3)
            #expect(try await fixture.store.queues().allSatisfy { !$0.isPaused })
        }
    }

    @Test(.timeLimit(.minutes(5)), arguments: Engine.allCases)
    func `whoever sleeps hears of a resumed queue`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            try await fixture.enqueue(queue: "images")
            let worker = try await fixture.worker()
            #expect(try await fixture.store.pause(queue: "images", true))
            var hints = fixture.store.hints().makeAsyncIterator()
            #expect(try await fixture.claim(worker).isEmpty)
            let other = try await fixture.another()
            #expect(try await (engine.hintsAcrossProcesses ? other : fixture.store).pause(queue: "images", false))
            // Hints may be about something else; the claim says.
            var leases: [Lease] = []
            while leases.isEmpty, await hints.next() != nil { leases = try await fixture.claim(worker) }
            #expect(leases.map(\.jobs.count) == [1])
            await other.close()
        }
    }
}
