import MartletCore
import MartletStore
import MartletTestSupport
import Testing

@Suite struct ExpiryTests {
    @Test(arguments: Engine.allCases)
    func `a claim says how long the job may still be started, by the store's clock`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            try await fixture.enqueue(expires: .after(.seconds(100)))
            try await fixture.enqueue()
            fixture.advance(.seconds(40))
            let jobs = try await fixture.claim(try await fixture.worker()).flatMap(\.jobs)
            let left = try #require(jobs[0].expiresIn)
            // The machine's own pace comes on top of the 40 seconds, and that is all.
            #expect(left <= .seconds(60) && left > .seconds(0))
            #expect(jobs[1].expiresIn == nil)
        }
    }

    @Test(arguments: Engine.allCases)
    func `a job past its expiry is handed out saying how late it is`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            try await fixture.enqueue(expires: .after(.seconds(100)))
            fixture.advance(.seconds(160))
            let left = try #require(try await fixture.claim(try await fixture.worker())[0].jobs[0].expiresIn)
            #expect(left <= .seconds(-60))
        }
    }

    @Test(arguments: Engine.allCases)
    func `an expiry stays the same moment through delays, retries, snoozes and dead workers`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let id = try await fixture.enqueue(start: .after(.seconds(10)), expires: .after(.seconds(10_000)))[0]
            let expiry = try #require(try await fixture.store.job(id)?.expiry)
            #expect(!expiry.isOver)
            func same(_ place: String) async throws {
                let now = try await fixture.store.job(id)?.expiry
                #expect(now == expiry, "\(place)")
            }
            func next() async throws -> Lease {
                fixture.advance(.seconds(61))
                _ = try await fixture.store.promote(limit: 10)
                try await same("promoted")
                let lease = try await fixture.claim(try await fixture.worker(lease: .seconds(30)))[0]
                #expect(lease.jobs[0].expiresIn != nil)
                return lease
            }
            try await fixture.settle(try await next(), 0, .retryable(.boom, after: .seconds(60)))
            try await same("retryable")
            try await fixture.settle(try await next(), 0, .retryable(.boom, after: .zero))
            try await same("retried at once")
            try await fixture.settle(try await next(), 0, .snoozed(.seconds(60)))
            try await same("snoozed")
            try await fixture.settle(try await next(), 0, .crashed(.boom, after: .seconds(60)))
            try await same("crashed")
            try await fixture.settle(try await next(), 0, .givenBack)
            try await same("given back")
            _ = try await next()
            fixture.advance(.seconds(31))
            #expect(try await fixture.store.recover().recoveredJobs == 1)
            try await same("recovered")
            _ = try await fixture.store.cancel(.ids([id]))
            try await same("cancelled")
            _ = try await fixture.store.retry(.ids([id]))
            try await same("run again by a person")
        }
    }

    @Test(arguments: Engine.allCases)
    func `an expired job has failed for that, and was never an attempt`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let id = try await fixture.enqueue(expires: .after(.seconds(10)))[0]
            var lease = try await fixture.claim(try await fixture.worker())[0]
            try await fixture.settle(lease, 0, .retryable(.boom, after: .zero))
            fixture.advance(.seconds(15))
            lease = try await fixture.claim(try await fixture.worker())[0]
            try await fixture.settle(lease, 0, .expired(late: .seconds(5)))
            let job = try #require(try await fixture.store.job(id))
            #expect(job.summary.state == .failed && job.reason == .expired && job.summary.attempt == 1)
            #expect(job.summary.startedAt == nil)
            #expect(job.errors.map(\.error.type) == ["exit", "expired"])
            #expect(job.errors.map(\.attempt) == [1, 1])
            #expect(job.errors[1].startedAt == nil)
            #expect(try await fixture.store.failures(limit: 5).map(\.type) == ["expired"])
            #expect(job.expiry?.isOver == false, "it waits for nobody any more")
        }
    }

    @Test(arguments: Engine.allCases)
    func `a person who runs an expired job again means it`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let failed = try await fixture.enqueue(expires: .after(.seconds(10)))[0]
            let lease = try await fixture.claim(try await fixture.worker())[0]
            fixture.advance(.seconds(15))
            try await fixture.settle(lease, 0, .expired(late: .seconds(5)))
            let delayed = try await fixture.enqueue(start: .after(.seconds(5)), expires: .after(.seconds(10)))[0]
            fixture.advance(.seconds(15))
            _ = try await fixture.store.retry(.ids([failed, delayed]))
            let jobs = try await fixture.claim(try await fixture.worker()).flatMap(\.jobs)
            #expect(jobs.map(\.id) == [failed, delayed])
            #expect(jobs.allSatisfy { $0.expiresIn == nil })
        }
    }

    @Test(arguments: Engine.allCases)
    func `a job that waits past its expiry is shown as such, and doctor counts it`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            func doctor() async throws -> Finding? {
                try await fixture.store.diagnose().first { $0.check == "expired" }
            }
            let ids = try await fixture.enqueue(count: 3, expires: .after(.seconds(10)))
            try await fixture.enqueue(count: 2)
            _ = try await fixture.claim(try await fixture.worker(), limit: 1)
            _ = try await fixture.store.cancel(.ids([ids[2]]))
            #expect(try await doctor()?.level == .ok)
            #expect(try await fixture.store.job(ids[1])?.expiry?.isOver == false)
            fixture.advance(.seconds(11))
            #expect(try await fixture.store.job(ids[0])?.expiry?.isOver == false, "it runs")
            #expect(try await fixture.store.job(ids[1])?.expiry?.isOver == true)
            let finding = try #require(try await doctor())
            #expect(finding.level == .warning && finding.message.contains("1 of work in default"))
        }
    }

    @Test(arguments: Engine.allCases)
    func `a moment is kept as it was given, with or without a delay`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let moment = Timestamp(microseconds: 4_102_444_800_123_456)
            let now = try await fixture.enqueue(expires: .at(moment))[0]
            let later = try await fixture.enqueue(start: .after(.seconds(60)), expires: .at(moment))[0]
            for id in [now, later] { #expect(try await fixture.store.job(id)?.expiry?.at == moment) }
        }
    }
}
