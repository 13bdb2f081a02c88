import MartletCore
import MartletPostgres
import MartletStore
import MartletTestSupport
import Testing

/// A cursor that cannot skip what commits late.
@Suite struct CursorTests {
    @Test func `what was begun first and committed last is claimed, once`() async throws {
        try await withStore { store, schema in
            let worker = try await store.register(.testing("w"))
            let early = try Session(schema)
            let late = JobID(
                rawValue: try #require(
                    Int64(
                        try early.run("begin; select enqueue('other'); select enqueue('work');")
                            .split(separator: "\n").last.map(String.init) ?? "")))
            // The lanes exist only when the transaction that made them has committed.
            try early.run("commit; begin; select enqueue('work');")
            let ids = try await store.enqueue(count: 3)
            #expect(try await store.claimed(worker) == [late] + ids)
            #expect(try await store.claimed(worker) == [])
            let more = try await store.enqueue(count: 2)
            #expect(try await store.claimed(worker, limit: 1) == [more[0]])
            try early.run("commit;")
            let rest = try await store.claimed(worker)
            #expect(Set(rest) == [more[1], JobID(rawValue: ids[0].rawValue - 1)])
            #expect(try await store.claimed(worker) == [])
            try early.end()
        }
    }

    @Test(arguments: [1, 12]) func `many transactions that overlap and end in any order lose nothing`(lanes: Int)
        async throws
    {
        try await withStore { store, schema in
            let worker = try await store.register(.testing("w"))
            var expected = Set(
                try await store.enqueue((0..<lanes).map { try NewJob(kind: "work", queue: "q\($0)") }))
            var seen: [JobID] = []
            var random = SplitMix64(seed: 7)
            let sessions = try (0..<6).map { _ in try Session(schema) }
            var open: [Int: [JobID]] = [:]
            var together: [[JobID]] = []
            for _ in 0..<200 {
                let number = Int.random(in: 0..<sessions.count, using: &random)
                let session = sessions[number]
                switch Int.random(in: 0..<4, using: &random) {
                case 0, 1:
                    if open[number] == nil { try session.run("begin;") }
                    let queue = "q\(Int.random(in: 0..<lanes, using: &random))"
                    let count = [1, 3, 20].randomElement(using: &random)!
                    let ids = try session.run(
                        """
                        savepoint s;
                        select array_to_string(
                          enqueue_many('work', array_fill('{}'::text, array[\(count)]), queue => '\(queue)'), ' ');
                        release s;
                        """
                    ).split(separator: " ").compactMap { Int64($0).map { JobID(rawValue: $0) } }
                    try #require(ids.count == count)
                    open[number, default: []] += ids
                    together.append(ids)
                case 2:
                    guard let ids = open.removeValue(forKey: number) else { continue }
                    let isKept = Int.random(in: 0..<4, using: &random) > 0
                    try session.run(isKept ? "commit;" : "rollback;")
                    if isKept { expected.formUnion(ids) }
                default:
                    seen += try await store.claimed(worker, limit: [1, 3, 10, 50].randomElement(using: &random)!)
                }
            }
            for (number, ids) in open {
                try sessions[number].run("commit;")
                expected.formUnion(ids)
            }
            while true {
                let more = try await store.claimed(worker)
                if more.isEmpty { break }
                seen += more
            }
            #expect(seen.count == Set(seen).count)
            #expect(Set(seen) == expected)
            let place = Dictionary(uniqueKeysWithValues: zip(seen, seen.indices))
            for ids in together {
                let places = ids.compactMap { place[$0] }
                #expect(places == places.sorted(), "what is enqueued together is claimed in its order")
            }
            for session in sessions { try session.end() }
        }
    }

    @Test func `a claim and an enqueue in one transaction lose nothing`() async throws {
        try await withStore { store, schema in
            let worker = try await store.register(.testing("w"))
            _ = try await store.enqueue()
            _ = try await store.claimed(worker)
            let session = try Session(schema)
            // Its own snapshot does not list the transaction that takes it.
            try session.run(
                """
                begin;
                select enqueue('work');
                select ids from claim(\(worker.rawValue), '{work}', '{10}', null, 10);
                select enqueue('work');
                select ids from claim(\(worker.rawValue), '{work}', '{10}', null, 10);
                commit;
                """)
            #expect(try await store.claimed(worker).count == 2)
            try session.end()
        }
    }

    @Test func `a lane made by a transaction that rolls back is made again by the one that waited`() async throws {
        try await withStore { store, schema in
            let worker = try await store.register(.testing("w"))
            let first = try Session(schema)
            try first.run("begin; select enqueue('work');")
            async let id = store.enqueue()[0]
            while try schema.psql("select count(*) from pg_locks where not granted") == "0" { await Task.yield() }
            try first.run("rollback;")
            let enqueued = try await id
            #expect(try await store.claimed(worker) == [enqueued])
            try first.end()
        }
    }
}
