import MartletCore
import MartletStore
import MartletTestSupport
import Testing

@Suite struct UsageTests {
    private let much = Usage(peakMemory: 3 << 30, processorTime: .milliseconds(1_500), blocked: .microseconds(250))

    @Test(arguments: Engine.allCases)
    func `what each attempt took is kept beside it, where anything is known`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let id = try await fixture.enqueue()[0]
            let worker = try await fixture.worker()
            let runs: [(Ending, Usage?)] = [
                (.retryable(.boom, after: .zero), much), (.retryable(.boom, after: .zero), nil),
                (.retryable(.boom, after: .zero), Usage()), (.snoozed(.zero), Usage(peakMemory: 7)),
                (.completed(result: nil), Usage(processorTime: .milliseconds(2))),
            ]
            for (ending, usage) in runs {
                _ = try await fixture.store.promote(limit: 10)
                let lease = try await fixture.claim(worker)[0]
                _ = try await fixture.store.settle([.testing(lease.id, 0, ending, usage: usage)])
            }
            let job = try #require(try await fixture.store.job(id))
            #expect(job.summary.state == .completed)
            #expect(job.usage.map(\.usage) == [much, Usage(peakMemory: 7), Usage(processorTime: .milliseconds(2))])
            #expect(job.usage.map(\.attempt) == [1, 4, 4])
            #expect(job.usage.allSatisfy { $0.at >= job.summary.enqueuedAt })
        }
    }

    @Test(arguments: Engine.allCases)
    func `it goes with its job`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let ids = try await fixture.enqueue(count: 4)
            let worker = try await fixture.worker()
            let lease = try await fixture.claim(worker)[0]
            _ = try await fixture.store.settle([
                .testing(lease.id, 0, .completed(result: nil), usage: much),
                .testing(lease.id, 1, .failed(.boom, .exhausted), usage: much),
                .testing(lease.id, 2, .failed(.boom, .exhausted), usage: much),
                .testing(lease.id, 3, .retryable(.boom, after: .seconds(3_600 * 24 * 365)), usage: much),
            ])
            _ = try await fixture.store.discard(.ids([ids[2]]))
            // Another lease becomes the cursor, so that the first may go.
            try await fixture.enqueue()
            try await fixture.settle(try await fixture.claim(worker)[0], 0, .completed(result: nil))
            fixture.advance(.seconds(100 * 86_400))
            while try await fixture.store.retain(RetentionPolicy(), limit: 100) > 0 {}
            #expect(try fixture.keys(in: "usage") == [ids[3].rawValue])
        }
    }

    @Test(arguments: Engine.allCases)
    func `what is settled in vain leaves none`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            try await fixture.enqueue(count: 2)
            let worker = try await fixture.worker()
            let lease = try await fixture.claim(worker)[0]
            let done = Settlement.testing(lease.id, 0, .completed(result: nil))
            _ = try await fixture.store.settle([done])
            #expect(
                try await fixture.store.settle([.testing(lease.id, 0, .completed(result: nil), usage: much)]).repeated == 1)
            try await fixture.store.deregister(worker)
            #expect(
                try await fixture.store.settle([.testing(lease.id, 1, .completed(result: nil), usage: much)]).lost == [
                    lease.id
                ])
            #expect(try fixture.keys(in: "usage") == [])
        }
    }
}
