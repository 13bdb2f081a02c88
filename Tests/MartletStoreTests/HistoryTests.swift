import MartletCore
import MartletStore
import MartletTestSupport
import Testing

/// What a store can tell of a job's life, beyond where it is now.
@Suite struct HistoryTests {
    @Test(arguments: Engine.allCases)
    func `every run is known with its worker, its times and how it ended, whatever came between`(_ engine: Engine)
        async throws
    {
        try await withStore(engine) { fixture in
            let id = try await fixture.enqueue()[0]
            let worker = try await fixture.worker("first")
            let endings: [Ending] = [
                .retryable(.boom, after: .zero), .snoozed(.seconds(5)), .givenBack, .retryable(.boom, after: .seconds(5)),
                .crashed(.boom, after: .seconds(5)), .failed(.boom, .exhausted),
            ]
            for ending in endings {
                try await fixture.settle(try await fixture.claim(worker)[0], 0, ending)
                fixture.advance(.seconds(6))
                _ = try fixture.store.heartbeat(worker)
                _ = try await fixture.store.promote(limit: 10)
            }
            #expect(try await fixture.store.retry(.ids([id])).changed == 1)
            let second = try await fixture.worker("second")
            try await fixture.settle(try await fixture.claim(second)[0], 0, .completed(result: nil))

            let job = try #require(try await fixture.store.job(id))
            let runs = job.history.runs
            #expect(
                runs.map(\.outcome) == [.retryable, .snoozed, .givenBack, .retryable, .crashed, .failed, .completed])
            #expect(runs.map(\.attempt) == [1, 2, 2, 2, 3, 3, 4])
            #expect(runs.map(\.worker) == Array(repeating: "first", count: 6) + ["second"])
            #expect(zip(runs, runs.dropFirst()).allSatisfy { $0.startedAt < $1.startedAt })
            // As long as it ran, which is kept as a float.
            for run in runs {
                let ran = try #require(run.endedAt) - run.startedAt
                #expect(ran > .milliseconds(4) && ran < .milliseconds(6))
            }
            // An error and its run are found by their start.
            #expect(job.errors.compactMap(\.startedAt) == [0, 3, 4, 5].map { runs[$0].startedAt })
            #expect(job.summary.startedAt == runs[6].startedAt)
            let retries = job.history.retries
            #expect(retries.count == 1 && retries.allSatisfy { $0 > runs[5].startedAt && $0 <= runs[6].startedAt })
        }
    }

    @Test(arguments: Engine.allCases)
    func `after a crash both the run that was lost and the one that goes on are known`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let id = try await fixture.enqueue()[0]
            let dead = try await fixture.worker("dead")
            _ = try await fixture.claim(dead)
            fixture.advance(.seconds(31))
            #expect(try await fixture.store.recover().recoveredJobs == 1)
            _ = try await fixture.claim(try await fixture.worker("alive"))
            let job = try #require(try await fixture.store.job(id))
            #expect(job.history.runs.map(\.outcome) == [.lost, .running])
            #expect(job.history.runs.map(\.worker) == ["dead", "alive"])
            #expect(job.history.runs[0].endedAt != nil && job.history.runs[1].endedAt == nil)
            #expect(job.errors.map(\.startedAt) == [job.history.runs[0].startedAt])
            #expect(job.summary.startedAt == job.history.runs[1].startedAt)
        }
    }

    @Test(arguments: Engine.allCases)
    func `a job that was cancelled while it waited, or came too late, has a retry and no run`(_ engine: Engine) async throws
    {
        try await withStore(engine) { fixture in
            let id = try await fixture.enqueue()[0]
            #expect(try await fixture.store.cancel(.ids([id])).changed == 1)
            #expect(try await fixture.store.retry(.ids([id])).changed == 1)
            let cancelled = try #require(try await fixture.store.job(id)?.history)
            #expect(cancelled.runs == [] && cancelled.retries.count == 1)

            let late = try await fixture.enqueue("late", expires: .after(.seconds(1)))[0]
            fixture.advance(.seconds(2))
            let worker = try await fixture.worker(kinds: ["late"])
            try await fixture.settle(try await fixture.claim(worker, "late")[0], 0, .expired(late: .seconds(1)))
            #expect(try await fixture.store.job(late)?.history == JobHistory())
        }
    }

    @Test(arguments: Engine.allCases)
    func `how often a job may be tried is told only where somebody said so`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let id = try await fixture.enqueue()[0]
            func most() async throws -> Int? { try #require(try await fixture.store.job(id)).summary.maxAttempts }
            #expect(try await most() == nil)
            #expect(try await fixture.store.list(JobQuery()).jobs[0].maxAttempts == nil)
            // Its worker died before it could say.
            _ = try await fixture.claim(try await fixture.worker("dead"))
            fixture.advance(.seconds(31))
            _ = try await fixture.store.recover()
            #expect(try await most() == nil)
            #expect(try await fixture.store.job(id)?.errors.map(\.maxAttempts) == [nil])
            let worker = try await fixture.worker()
            try await fixture.settle(try await fixture.claim(worker)[0], 0, .retryable(.boom, after: .zero), maxAttempts: 7)
            #expect(try await most() == 7)
            let own = try await fixture.enqueue(maxAttempts: 3)[0]
            #expect(try await fixture.store.job(own)?.summary.maxAttempts == 3)
        }
    }
}
