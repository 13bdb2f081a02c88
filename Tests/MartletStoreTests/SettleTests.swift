import MartletCore
import MartletStore
import MartletTestSupport
import Testing

@Suite struct SettleTests {
    @Test(arguments: Engine.allCases)
    func `each ending leads to its state`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let endings: [(Ending, JobState, attempt: Int)] = [
                (.completed(result: nil), .completed, 1),
                (.completed(result: try JSONText(validating: "[1]")), .completed, 1),
                (.retryable(.boom, after: .seconds(60)), .retryable, 1),
                (.retryable(.boom, after: .zero), .available, 1),
                (.snoozed(.seconds(60)), .scheduled, 0),
                (.failed(.boom, .exhausted), .failed, 1),
                (.failed(.boom, .discarded), .failed, 1),
                (.cancelled, .cancelled, 1),
                (.givenBack, .available, 0),
            ]
            let ids = try await fixture.enqueue(count: endings.count)
            let lease = try await fixture.claim(try await fixture.worker())[0]
            let reply = try await fixture.store.settle(
                endings.enumerated().map { .testing(lease.id, $0.offset, $0.element.0) })
            #expect(reply == SettleReply(lost: [], repeated: 0))
            for (id, ending) in zip(ids, endings) {
                let job = try #require(try await fixture.store.job(id)).summary
                #expect(job.state == ending.1)
                #expect(job.attempt == ending.attempt)
            }
            #expect(
                try await fixture.counts() == [
                    .completed: 2, .retryable: 1, .available: 2, .scheduled: 1, .failed: 2, .cancelled: 1,
                ])
        }
    }

    @Test(arguments: Engine.allCases)
    func `a completed job keeps its result and its times`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let id = try await fixture.enqueue()[0]
            let lease = try await fixture.claim(try await fixture.worker("alice"))[0]
            _ = try await fixture.store.settle([
                Settlement(
                    lease: lease.id, index: 0, ending: .completed(result: try JSONText(validating: #"{"ok": true}"#)),
                    maxAttempts: 25, waited: .milliseconds(20), ran: .milliseconds(250))
            ])
            let job = try #require(try await fixture.store.job(id))
            #expect(job.result?.string == #"{"ok": true}"#)
            #expect(job.summary.worker == "alice")
            let ran = try #require(job.summary.finishedAt) - #require(job.summary.startedAt)
            #expect(ran >= .milliseconds(249) && ran <= .milliseconds(251))
            #expect(try #require(job.summary.startedAt) >= job.summary.enqueuedAt)
        }
    }

    @Test(arguments: Engine.allCases)
    func `every attempt's error is kept`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let id = try await fixture.enqueue()[0]
            let worker = try await fixture.worker("bob")
            for attempt in 1...3 {
                let lease = try await fixture.claim(worker)[0]
                let error = JobError(type: "exit", message: "attempt \(attempt)", detail: "\0 NUL and \u{1F600}")
                try await fixture.settle(
                    lease, 0, attempt < 3 ? .retryable(error, after: .zero) : .failed(error, .exhausted), maxAttempts: 3)
            }
            let job = try #require(try await fixture.store.job(id))
            #expect(job.errors.map(\.attempt) == [1, 2, 3])
            #expect(job.errors.map(\.error.message) == ["attempt 1", "attempt 2", "attempt 3"])
            #expect(job.errors.allSatisfy { $0.worker == "bob" && $0.maxAttempts == 3 })
            #expect(job.reason == .exhausted)
            #expect(job.summary.error == job.errors.last)
            #expect(job.summary.maxAttempts == 3)
        }
    }

    @Test(arguments: Engine.allCases)
    func `a chunk may be settled job by job, in any order`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let ids = try await fixture.enqueue(count: 7)
            let lease = try await fixture.claim(try await fixture.worker())[0]
            for (done, index) in [3, 0, 6, 1, 5, 2, 4].enumerated() {
                #expect(try await fixture.state(ids[index]) == .running)
                try await fixture.settle(lease, index, .completed(result: nil))
                #expect(try await fixture.state(ids[index]) == .completed)
                #expect(try await fixture.counts()[.running, default: 0] == 6 - done)
            }
        }
    }

    @Test(arguments: Engine.allCases)
    func `a delay of nothing puts the next attempt behind what waits`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let ids = try await fixture.enqueue(count: 3)
            let worker = try await fixture.worker()
            let lease = try await fixture.claim(worker, limit: 1)[0]
            try await fixture.settle(lease, 0, .retryable(.boom, after: .zero))
            #expect(try await fixture.claim(worker).flatMap(\.jobs).map(\.id) == [ids[1], ids[2], ids[0]])
        }
    }

    @Test(arguments: Engine.allCases)
    func `a NUL in an error is kept as its picture, and any other character as it is`(engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let id = try await fixture.enqueue()[0]
            let lease = try await fixture.claim(try await fixture.worker())[0]
            let error = JobError(type: "x\0", message: "a\0b\u{FFFD}\u{1F600}\n\u{7}", detail: "\0\0")
            try await fixture.settle(lease, 0, .failed(error, .exhausted))
            let kept = try #require(try await fixture.store.job(id)?.errors.first?.error)
            #expect(kept.type == "x\u{2400}")
            #expect(kept.message == "a\u{2400}b\u{FFFD}\u{1F600}\n\u{7}")
            #expect(kept.detail == "\u{2400}\u{2400}")
            #expect(try await fixture.store.failures(limit: 1).map(\.message) == [kept.message])
        }
    }
}
