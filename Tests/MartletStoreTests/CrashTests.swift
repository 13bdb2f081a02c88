import MartletCore
import MartletStore
import MartletTestSupport
import Testing

/// A child that ran a job alone and died of it: the job is guilty.
@Suite struct CrashTests {
    private let trap = JobError(type: "signal", message: "killed by SIGILL", detail: "stack")

    @Test(arguments: Engine.allCases)
    func `a crash is charged as one, and no attempt with it`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let id = try await fixture.enqueue()[0]
            let worker = try await fixture.worker("alice")
            for crash in 1...2 {
                let lease = try await fixture.claim(worker)[0]
                #expect(lease.jobs[0].attempt == 1 && lease.jobs[0].crashes == crash - 1)
                try await fixture.settle(lease, 0, .crashed(trap, after: .seconds(30)))
                let job = try #require(try await fixture.store.job(id))
                #expect(job.summary.state == .retryable && job.summary.attempt == 0 && job.crashes == crash)
                #expect(try await fixture.claim(worker).isEmpty)
                fixture.advance(.seconds(31))
                #expect(try await fixture.store.promote(limit: 10).moved == 1)
            }
            try await fixture.settle(try await fixture.claim(worker)[0], 0, .failed(trap, .crashed))
            let job = try #require(try await fixture.store.job(id))
            #expect(job.summary.state == .failed && job.reason == .crashed)
            #expect(job.crashes == 3 && job.summary.attempt == 0)
            #expect(job.errors.map(\.error) == [trap, trap, trap])
            #expect(job.errors.allSatisfy { $0.worker == "alice" && $0.attempt == 1 && $0.startedAt != nil })
            #expect(try await fixture.store.failures(limit: 5).map(\.count) == [1])
        }
    }

    @Test(arguments: Engine.allCases)
    func `a job that a person asked to stop and that crashes is cancelled, its error kept`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let id = try await fixture.enqueue()[0]
            let lease = try await fixture.claim(try await fixture.worker())[0]
            _ = try await fixture.store.cancel(.ids([id]))
            try await fixture.settle(lease, 0, .crashed(trap, after: .zero))
            let job = try #require(try await fixture.store.job(id))
            #expect(job.summary.state == .cancelled)
            #expect(job.errors.map(\.error) == [trap])
        }
    }

    @Test(arguments: Engine.allCases)
    func `a person's retry forgives the crashes`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let id = try await fixture.enqueue()[0]
            let worker = try await fixture.worker()
            try await fixture.settle(try await fixture.claim(worker)[0], 0, .failed(trap, .crashed))
            #expect(try await fixture.store.job(id)?.crashes == 1)
            _ = try await fixture.store.retry(.ids([id]))
            #expect(try await fixture.claim(worker)[0].jobs[0].crashes == 0)
        }
    }
}
