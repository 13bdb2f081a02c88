import MartletCore
import MartletStore
import MartletTestSupport
import Testing

@Suite struct EnqueueTests {
    @Test(arguments: Engine.allCases)
    func `ids are handed out in order and never twice`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let first = try await fixture.enqueue(count: 3)
            let second = try await fixture.enqueue(count: 2, start: .after(.seconds(60)))
            let third = try await fixture.enqueue()
            #expect((first + second + third).map(\.rawValue) == (first + second + third).map(\.rawValue).sorted())
            #expect(Set(first + second + third).count == 6)
        }
    }

    @Test(arguments: Engine.allCases)
    func `a job is kept as it was given`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let args = #"{"b": 1.10, "a": "ü\u0041", "big": 123456789012345678901234567890}"#
            let id = try await fixture.enqueue(
                "resize", args: args, queue: "images", priority: 2, maxAttempts: 7, timeout: .milliseconds(1500))[0]
            let job = try #require(try await fixture.store.job(id))
            #expect(job.summary.args.string == args)
            #expect(job.summary.kind == "resize")
            #expect(job.summary.queue == "images")
            #expect(job.summary.priority.rawValue == 2)
            #expect(job.summary.maxAttempts == 7)
            #expect(job.timeout == .milliseconds(1500))
            #expect(job.summary.state == .available)
            #expect(job.summary.attempt == 0)
            let lease = try await fixture.claim(try await fixture.worker(kinds: ["resize"]), "resize")[0]
            #expect(lease.jobs[0].args.string == args)
            #expect(lease.jobs[0].maxAttempts == 7)
            #expect(lease.jobs[0].timeout == .milliseconds(1500))
            #expect(lease.queue == "images")
            #expect(lease.priority.rawValue == 2)
        }
    }

    @Test(arguments: Engine.allCases)
    func `an enqueue of nothing is nothing`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let ids = try await fixture.store.enqueue([])
            #expect(ids == [])
            let counts = try await fixture.counts()
            #expect(counts == [:])
        }
    }

    @Test(arguments: Engine.allCases)
    func `one batch may hold every kind, queue, priority and start`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            var jobs: [NewJob] = []
            for number in 0..<60 {
                jobs.append(
                    try NewJob(
                        kind: "k\(number % 3)", args: JSONText(validating: "\(number)"), queue: "q\(number % 2)",
                        priority: Priority(validating: number % 10),
                        start: number % 4 == 0 ? .after(.seconds(60)) : .now))
            }
            let ids = try await fixture.store.enqueue(jobs)
            #expect(ids.count == 60)
            #expect(try await fixture.counts() == [.available: 45, .scheduled: 15])
            for (number, id) in ids.enumerated() {
                let job = try #require(try await fixture.store.job(id)).summary
                #expect(job.args.string == "\(number)")
                #expect(job.kind == "k\(number % 3)")
                #expect(job.queue == "q\(number % 2)")
            }
        }
    }

    @Test(arguments: Engine.allCases)
    func `a start in the past is now`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let id = try await fixture.enqueue(start: .at(Timestamp(microseconds: 0)))[0]
            #expect(try await fixture.state(id) == .available)
        }
    }

    @Test(arguments: Engine.allCases)
    func `what was acknowledged is there after closing and opening again`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let other = try await fixture.another()
            let job = try NewJob(kind: "work")
            let ids = try await other.enqueue([job, job])
            await other.close()
            await #expect(throws: StoreError.self) { try await other.enqueue([job]) }
            for id in ids { #expect(try await fixture.state(id) == .available) }
        }
    }
}
