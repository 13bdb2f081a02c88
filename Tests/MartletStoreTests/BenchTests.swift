import MartletCore
import MartletStore
import MartletTestSupport
import Testing

/// A bench's jobs go, whatever has become of them, and nobody else's do.
@Suite struct BenchTests {
    private let name: BenchName

    init() throws { name = try #require(BenchName("martlet-bench-a1")) }

    private func bench(_ fixture: StoreFixture) throws -> any BenchStore { try #require(fixture.store as? any BenchStore) }

    private func remove(_ store: any BenchStore, _ name: BenchName, limit: Int) async throws -> Int {
        var removed = 0
        while true {
            let piece = try await store.removeBench(name, limit: limit)
            removed += piece
            if piece < limit { return removed }
        }
    }

    @Test func `only a bench's own names are taken for one`() {
        #expect(BenchName("martlet-bench-a1")?.queue(3) == "martlet-bench-a1-3")
        #expect(BenchName(queue: "martlet-bench-a1-3")?.description == "martlet-bench-a1")
        for text in [
            "martlet-bench", "martlet-bench-", "martlet-bench-A", "martlet-bench-a1-3", "x-martlet-bench-a1", "default",
        ] {
            #expect(BenchName(text) == nil, "\(text)")
        }
        for queue in ["martlet-bench-a1", "martlet-bench-a1-x", "martlet-bench-a1-3 ", "my-martlet-bench-a1-3", "default"] {
            #expect(BenchName(queue: queue) == nil, "\(queue)")
        }
        let random = BenchName.random()
        #expect(BenchName(random.description) == random)
    }

    @Test(arguments: Engine.allCases, [2, 3, 1_000])
    func `jobs in every state go, in pieces of any size, and others' stay`(_ engine: Engine, _ limit: Int) async throws {
        try await withStore(engine) { fixture in
            let store = try bench(fixture)
            let worker = try await fixture.worker(kinds: [BenchName.kind, "work"])
            for queue in [name.queue(1), "mine"] {
                try await fixture.enqueue(BenchName.kind, count: 9, queue: queue)
                try await fixture.enqueue(BenchName.kind, queue: queue, start: .after(.seconds(90)))
                let lease = try #require(try await fixture.claim(worker, BenchName.kind, queues: [queue], limit: 6).first)
                let endings: [Ending] = [
                    .completed(result: .emptyObject), .failed(.boom, .exhausted), .cancelled,
                    .retryable(.boom, after: .seconds(90)), .retryable(.boom, after: .zero), .completed(result: nil),
                ]
                for (index, ending) in endings.enumerated() { try await fixture.settle(lease, index, ending) }
            }
            try await fixture.enqueue("work", count: 2, queue: name.queue(1))
            let tombstone = try #require(
                try await store.candidates(.cancel, [.available], JobFilter(kind: BenchName.kind, queue: name.queue(1))).last
            )
            #expect(try await store.cancel(.ids([tombstone])).changed == 1)

            #expect(try await store.benchSurroundings().benches == [name])
            #expect(try await remove(store, name, limit: limit) > 0)

            #expect(try await store.benchSurroundings().benches == [])
            let queues = try await store.queues()
            // A kind of somebody's in a queue that only looks like ours, and our kind in a queue of somebody's.
            #expect(queues.map { [$0.queue, $0.kind] } == [[name.queue(1), "work"], ["mine", BenchName.kind]])
            #expect(queues[0].counts[.available] == 2)
            #expect(
                queues[1].counts == [
                    .scheduled: 1, .available: 4, .running: 0, .retryable: 1, .completed: 2, .failed: 1, .cancelled: 1,
                ])
            #expect(try await store.failures(limit: 9).map(\.count) == [1])
            let left = try await store.list(JobQuery(filter: JobFilter(queue: name.queue(1)), limit: 100)).jobs
            #expect(left.map(\.kind) == ["work", "work"])
            #expect(try await store.list(JobQuery(limit: 100)).jobs.count == 12)
        }
    }

    @Test(arguments: Engine.allCases)
    func `what runs is left alone until its worker has ended`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let store = try bench(fixture)
            let worker = try await fixture.worker(name.description, kinds: [BenchName.kind])
            try await fixture.enqueue(BenchName.kind, count: 5, queue: name.queue(1))
            #expect(try await fixture.claim(worker, BenchName.kind, limit: 2).flatMap(\.jobs).count == 2)
            #expect(try await store.benchSurroundings().alive == [name])
            #expect(try await remove(store, name, limit: 100) == 0)
            #expect(try await fixture.counts() == [.available: 3, .running: 2])

            try await store.deregister(worker)
            #expect(try await store.benchSurroundings().alive == [])
            // Entries of the log, of which those that were given back have two.
            #expect(try await remove(store, name, limit: 100) == 7)
            #expect(try await store.queues().isEmpty)
            #expect(try fixture.keys(in: "worker").isEmpty)
            #expect(try fixture.keys(in: "lease").isEmpty)
            #expect(try fixture.keys(in: "job").isEmpty)
            // Its queue can be used anew.
            try await fixture.enqueue(BenchName.kind, count: 2, queue: name.queue(1))
            let next = try await fixture.worker(name.description, kinds: [BenchName.kind])
            #expect(try await fixture.claim(next, BenchName.kind).flatMap(\.jobs).count == 2)
        }
    }

    @Test(arguments: Engine.allCases)
    func `what goes on besides counts neither benches nor their jobs`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let store = try bench(fixture)
            _ = try await fixture.worker(name.description, kinds: [BenchName.kind])
            let worker = try await fixture.worker()
            try await fixture.enqueue(count: 3)
            try await fixture.enqueue(BenchName.kind, count: 5, queue: name.queue(1))
            #expect(try await fixture.claim(worker, limit: 1).count == 1)
            let found = try await store.benchSurroundings()
            #expect([found.workers, found.available, found.running] == [1, 2, 1])
            #expect(found.bytes > 0)
            #expect(found.alive == [name])
        }
    }

    @Test(arguments: Engine.allCases)
    func `the engine says how it is set`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let store = try bench(fixture)
            let conditions = try await store.conditions()
            let settings = Dictionary(uniqueKeysWithValues: conditions.settings.map { ($0.name, $0.value) })
            switch engine {
            case .sqlite:
                #expect(conditions.engine.hasPrefix("SQLite 3."))
                #expect(settings["synchronous"] == "FULL")
                #expect(settings["journal_mode"] == "wal")
                #expect(settings["file_system"]?.isEmpty == false)
                #expect(try await store.roundTrip() == nil)
            case .postgres, .pooled:
                #expect(conditions.engine.hasPrefix("PostgreSQL "))
                #expect(settings["synchronous_commit"] != nil)
                #expect(settings["fsync"] != nil)
                #expect((settings["pooler"] != nil) == (engine == .pooled))
                #expect(try #require(try await store.roundTrip()) > .zero)
            }
        }
    }
}
