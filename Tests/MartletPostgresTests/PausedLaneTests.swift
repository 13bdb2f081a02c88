import MartletCore
import MartletPostgres
import MartletStore
import MartletTestSupport
import Testing

/// Lanes that a transaction makes while somebody pauses or resumes their queue: neither sees the other.
@Suite struct PausedLaneTests {
    @Test(.timeLimit(.minutes(5)), arguments: [true, false])
    func `a lane that was made meanwhile is as its queue is, after the next look for dead workers`(
        isPaused: Bool
    ) async throws {
        try await withStore { store, schema in
            if !isPaused { #expect(try await store.pause(queue: "images", true)) }
            let producer = try Session(schema)
            try producer.run("begin; select enqueue('work', queue => 'images');")
            #expect(try await store.pause(queue: "images", isPaused))
            try producer.run("commit;")
            try producer.end()
            #expect(try schema.psql("select paused from lane") == (isPaused ? "f" : "t"))
            _ = try await store.recover()
            #expect(try schema.psql("select paused from lane") == (isPaused ? "t" : "f"))
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `resuming once more mends a lane that was left paused`() async throws {
        try await withStore { store, schema in
            #expect(try await store.pause(queue: "images", true))
            let producer = try Session(schema)
            try producer.run("begin; select enqueue('work', queue => 'images');")
            #expect(try await store.pause(queue: "images", false))
            try producer.run("commit;")
            try producer.end()
            #expect(try await store.pause(queue: "images", false), "there was something to do")
            #expect(try schema.psql("select paused from lane") == "f")
        }
    }
}
