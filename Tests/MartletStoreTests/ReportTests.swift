import MartletCore
import MartletStore
import MartletTestSupport
import Testing

/// What workers say of themselves.
@Suite struct ReportTests {
    private func report(_ concurrency: Int) -> JSONText {
        WorkerReport(kinds: ["work": .init(concurrency: concurrency, reason: "errors rose")], lagMs: 3).json
    }

    private func registration(_ name: String, host: String, _ report: JSONText? = nil) -> WorkerRegistration {
        WorkerRegistration(
            name: name, host: host, pid: 1, version: "test", kinds: ["work"], queues: nil, concurrency: 1,
            lease: .seconds(30), report: report)
    }

    @Test(arguments: Engine.allCases)
    func `the last report stands until the next one`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let worker = try await fixture.store.register(registration("a", host: "h"))
            #expect(try await fixture.store.workers().map(\.report) == [nil])
            #expect(try fixture.store.heartbeat(worker, report: report(1)).alive)
            #expect(try fixture.store.heartbeat(worker, report: nil).alive)
            #expect(try await fixture.store.workers().map(\.report) == [report(1)])
            _ = try fixture.store.heartbeat(worker, report: report(2))
            _ = try await fixture.store.register(registration("b", host: "h", report(9)))
            #expect(try await fixture.store.workers().map(\.report) == [report(2), report(9)])
        }
    }

    @Test(arguments: Engine.allCases)
    func `what a worker learned outlives it, by its name and else by its host`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let store = fixture.store
            #expect(try await store.lastReport(name: "web:1", host: "web") == nil)
            let first = try await store.register(registration("web:1", host: "web", report(1)))
            _ = try store.heartbeat(first, report: report(2))
            try await store.deregister(first)
            let second = try await store.register(registration("web:2", host: "web"))
            #expect(try await store.lastReport(name: "web:2", host: "web") == report(2), "the new one has said nothing yet")
            _ = try store.heartbeat(second, report: report(3))
            _ = try await store.register(registration("db:1", host: "db", report(4)))
            #expect(try await store.lastReport(name: "web:3", host: "web") == report(3))
            #expect(try await store.lastReport(name: "web:1", host: "db") == report(2), "the name comes first")
            #expect(try await store.lastReport(name: "db:9", host: "other") == nil)
        }
    }

    @Test(arguments: Engine.allCases)
    func `a dead worker's report is not written any more`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let worker = try await fixture.store.register(registration("a", host: "h", report(1)))
            try await fixture.store.deregister(worker)
            #expect(try fixture.store.heartbeat(worker, report: report(2)).alive == false)
            #expect(try await fixture.store.lastReport(name: "a", host: "h") == report(1))
        }
    }

    @Test func `a report of another version is read as far as it is known`() throws {
        let newer = """
            {"kinds": {"work": {"concurrency": 4, "mood": "good"}}, "lag_ms": 7, "weather": [1]}
            """
        let read = try #require(WorkerReport(try JSONText(validating: newer)))
        #expect(read == WorkerReport(kinds: ["work": .init(concurrency: 4)], lagMs: 7))
        #expect(WorkerReport(try JSONText(validating: "{}")) == WorkerReport())
        #expect(WorkerReport(try JSONText(validating: #"{"kinds": 3}"#)) == nil)
        let full = WorkerReport(
            kinds: ["a": .init(concurrency: 1, reason: "r", found: 1, blocked: .init(job: 7, ms: 2_000), moved: true)],
            lagMs: 1, highestLagMs: 2, memoryBytes: 5 << 30, highestMemoryBytes: 6 << 30,
            lostThreads: .init(threads: 1, of: 66), lostBlockingThreads: .init(threads: 64, of: 64))
        #expect(WorkerReport(full.json) == full)
    }
}
