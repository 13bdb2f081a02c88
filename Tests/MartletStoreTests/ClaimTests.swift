import MartletCore
import MartletStore
import MartletTestSupport
import Testing

@Suite struct ClaimTests {
    @Test(arguments: Engine.allCases)
    func `jobs of a lane come in order, each once`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let ids = try await fixture.enqueue(count: 25)
            let worker = try await fixture.worker()
            var seen: [JobID] = []
            while true {
                let leases = try await fixture.claim(worker, limit: 10)
                if leases.isEmpty { break }
                seen += leases.flatMap(\.jobs).map(\.id)
            }
            #expect(seen == ids)
            #expect(try await fixture.counts() == [.running: 25])
        }
    }

    @Test(arguments: Engine.allCases)
    func `only the kinds and queues asked for are claimed`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let wanted = try await fixture.enqueue("a", queue: "x")
            try await fixture.enqueue("b", queue: "x")
            try await fixture.enqueue("a", queue: "y")
            let worker = try await fixture.worker(kinds: ["a"])
            let leases = try await fixture.claim(worker, "a", queues: ["x"])
            #expect(leases.flatMap(\.jobs).map(\.id) == wanted)
            #expect(try await fixture.counts() == [.running: 1, .available: 2])
        }
    }

    @Test(arguments: Engine.allCases)
    func `the most urgent priority comes first`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let low = try await fixture.enqueue(priority: 9)[0]
            let middle = try await fixture.enqueue(priority: 5)[0]
            let urgent = try await fixture.enqueue(priority: 0)[0]
            let worker = try await fixture.worker()
            let order = try await fixture.claim(worker).flatMap(\.jobs).map(\.id)
            #expect(order == [urgent, middle, low])
        }
    }

    @Test(arguments: Engine.allCases)
    func `among equals the lane whose head waits longest comes first`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let worker = try await fixture.worker(kinds: ["a", "b"])
            let b = try await fixture.enqueue("b")[0]
            fixture.advance(.seconds(1))
            let a = try await fixture.enqueue("a")[0]
            #expect(try await fixture.claim(worker, "a", "b").flatMap(\.jobs).map(\.id) == [b, a])
        }
    }

    @Test(arguments: Engine.allCases)
    func `a limit per kind and a limit in all are kept`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            try await fixture.enqueue("a", count: 50)
            try await fixture.enqueue("b", count: 50)
            let worker = try await fixture.worker(kinds: ["a", "b"])
            let leases = try await fixture.store.claim(
                ClaimRequest(
                    worker: worker, wants: [.init(kind: "a", limit: 3), .init(kind: "b", limit: 50)], limit: 20))
            let kinds = Dictionary(grouping: leases, by: \.kind).mapValues { $0.reduce(0) { $0 + $1.jobs.count } }
            #expect(kinds["a"] == 3)
            #expect(kinds["b"] == 17)
        }
    }

    @Test(arguments: Engine.allCases)
    func `nothing to claim is an empty answer`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let worker = try await fixture.worker()
            #expect(try await fixture.claim(worker).isEmpty)
            try await fixture.enqueue("other")
            #expect(try await fixture.claim(worker).isEmpty)
        }
    }

    @Test(arguments: Engine.allCases)
    func `a worker that is not registered, or no longer, gets nothing`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            try await fixture.enqueue(count: 5)
            #expect(try await fixture.claim(WorkerID(rawValue: 12345)).isEmpty)
            let worker = try await fixture.worker()
            try await fixture.store.deregister(worker)
            #expect(try await fixture.claim(worker).isEmpty)
            #expect(try await fixture.counts() == [.available: 5])
        }
    }

    @Test(arguments: Engine.allCases)
    func `many workers at once share the work without overlap`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let ids = try await fixture.enqueue(count: 2_000)
            let others = [fixture.store, try await fixture.another(), try await fixture.another()]
            let claimed = try await withThrowingTaskGroup(of: [JobID].self) { group in
                for number in 0..<12 {
                    let store = others[number % others.count]
                    group.addTask {
                        let worker = try await store.register(.testing("w\(number)"))
                        var mine: [JobID] = []
                        while true {
                            let leases = try await store.claim(.testing(worker, limit: 1 + number * 7))
                            if leases.isEmpty { return mine }
                            mine += leases.flatMap(\.jobs).map(\.id)
                        }
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(claimed.count == ids.count)
            #expect(Set(claimed) == Set(ids))
            for other in others.dropFirst() { await other.close() }
        }
    }

    @Test(arguments: Engine.allCases)
    func `attempts are counted from one`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            try await fixture.enqueue()
            let worker = try await fixture.worker()
            for attempt in 1...3 {
                let lease = try await fixture.claim(worker)[0]
                #expect(lease.jobs[0].attempt == attempt)
                try await fixture.settle(lease, 0, .retryable(.boom, after: .zero))
            }
        }
    }

    @Test(arguments: Engine.allCases)
    func `one claim brings a bounded amount of args, and the next ones the rest`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let args = "\"" + String(repeating: "x", count: Limits.argsBytes - 2) + "\""
            let ids = try await fixture.enqueue(count: 40, args: args)
            let worker = try await fixture.worker()
            var seen: [JobID] = []
            while seen.count < ids.count {
                let jobs = try await fixture.claim(worker).flatMap(\.jobs)
                #expect(jobs.count >= 1 && jobs.count <= Limits.leaseBytes / Limits.argsBytes + 1)
                if jobs.isEmpty { break }
                seen += jobs.map(\.id)
            }
            #expect(seen == ids)
        }
    }

    @Test(arguments: Engine.allCases)
    func `long args among short ones, and what only some jobs have, stay with their jobs`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let long = Limits.leaseBytes / Limits.leaseJobs + 1
            let jobs = try (0..<300).map { number in
                try NewJob(
                    kind: number < 200 ? "work" : "plain",
                    args: JSONText(validating: "\"\(number)\(String(repeating: "x", count: number % 7 == 3 ? long : 1))\""),
                    maxAttempts: number < 200 && number % 5 == 0 ? number + 1 : nil,
                    timeout: number < 200 && number % 3 == 0 ? .seconds(number + 1) : nil)
            }
            let ids = try await fixture.store.enqueue(jobs)
            let worker = try await fixture.worker(kinds: ["work", "plain"])
            // Under the largest limit args as long could be too much together, under the first they could not.
            for (kind, limits, expected) in [
                ("work", [100, Limits.leaseJobs], 0..<200), ("plain", [Limits.leaseJobs], 200..<300),
            ] {
                var leased: [LeasedJob] = []
                for limit in limits { leased += try await fixture.claim(worker, kind, limit: limit).flatMap(\.jobs) }
                #expect(leased.map(\.id) == Array(ids[expected]))
                #expect(leased.map(\.args) == jobs[expected].map(\.args))
                #expect(leased.map(\.maxAttempts) == jobs[expected].map(\.maxAttempts))
                #expect(leased.map(\.timeout) == jobs[expected].map(\.timeout))
                #expect(leased.allSatisfy { $0.attempt == 1 && $0.crashes == 0 })
            }
        }
    }

    @Test(arguments: Engine.allCases)
    func `a long run of cancelled jobs is left behind a piece at a time`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            for _ in 0..<5 { try await fixture.enqueue(count: 10_000) }
            _ = try await fixture.store.cancel(.matching(states: [.available], filter: JobFilter()))
            let last = try await fixture.enqueue(count: 3)
            let worker = try await fixture.worker()
            var seen: [JobID] = []
            for _ in 0..<10 where seen.count < 3 {
                seen += try await fixture.claim(worker, limit: 1).flatMap(\.jobs).map(\.id)
            }
            #expect(seen == last)
            #expect(try await fixture.counts() == [.cancelled: 50_000, .running: 3])
        }
    }

    @Test(arguments: Engine.allCases)
    func `with many lanes the head that waits longest still goes first`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            var ids: [JobID] = []
            for lane in 0..<40 {
                ids += try await fixture.enqueue(queue: "q\(lane * 7 % 40)")
                fixture.advance(.milliseconds(10))
            }
            let worker = try await fixture.worker()
            #expect(try await fixture.claim(worker, limit: 15).flatMap(\.jobs).map(\.id) == Array(ids[..<15]))
            ids += try await fixture.enqueue(queue: "q0")
            #expect(try await fixture.claim(worker, limit: 100).flatMap(\.jobs).map(\.id) == Array(ids[15...]))
        }
    }

    @Test(arguments: Engine.allCases)
    func `many lanes are emptied in their order, each job once and as it was enqueued`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            var jobs: [(priority: Int, job: NewJob)] = []
            for lane in 0..<30 {
                let priority = lane % 3
                for number in 0..<7 {
                    jobs.append(
                        (
                            priority,
                            try NewJob(
                                kind: "work", args: JSONText(validating: "[\(lane), \(number)]"), queue: "q\(lane)",
                                priority: Priority(rawValue: priority)!, maxAttempts: number == 3 ? lane + 1 : nil)
                        ))
                }
                _ = try await fixture.store.enqueue(jobs.suffix(7).map(\.job))
                fixture.advance(.milliseconds(10))
            }
            let expected = (0..<3).flatMap { priority in jobs.filter { $0.priority == priority }.map(\.job) }
            let worker = try await fixture.worker()
            var leases: [Lease] = []
            for limit in [10, 100, 64, 100] { leases += try await fixture.claim(worker, limit: limit) }
            #expect(leases.flatMap(\.jobs).map(\.args) == expected.map(\.args))
            #expect(leases.flatMap(\.jobs).map(\.maxAttempts) == expected.map(\.maxAttempts))
            #expect(leases.flatMap { lease in lease.jobs.map { _ in lease.queue } } == expected.map(\.queue))
            #expect(try await fixture.claim(worker).isEmpty)
            for lease in leases {
                for index in lease.jobs.indices { try await fixture.settle(lease, index, .completed(result: nil)) }
            }
            #expect(try await fixture.counts() == [.completed: 210])
        }
    }

    @Test(arguments: Engine.allCases)
    func `of many lanes what was cancelled is left out, and args are bounded`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let args = "\"" + String(repeating: "x", count: Limits.argsBytes / 2) + "\""
            var ids: [JobID] = []
            for lane in 0..<12 {
                ids += try await fixture.enqueue(count: 10, args: args, queue: "q\(lane)")
                fixture.advance(.milliseconds(10))
            }
            let worker = try await fixture.worker()
            var seen: [JobID] = []
            while seen.count < 60 {
                let jobs = try await fixture.claim(worker, limit: 60 - seen.count).flatMap(\.jobs)
                // SQLite takes the last lane whole.
                #expect(jobs.count >= 1 && jobs.count <= 2 * Limits.leaseBytes / Limits.argsBytes + 10)
                if jobs.isEmpty { break }
                seen += jobs.map(\.id)
            }
            #expect(seen == Array(ids[..<60]))
            _ = try await fixture.store.cancel(.ids([ids[75], ids[100]]))
            let rest = ids[60...].filter { $0 != ids[75] && $0 != ids[100] }
            seen = []
            while seen.count < rest.count {
                let jobs = try await fixture.claim(worker).flatMap(\.jobs)
                if jobs.isEmpty { break }
                seen += jobs.map(\.id)
            }
            #expect(seen == rest)
        }
    }
}
