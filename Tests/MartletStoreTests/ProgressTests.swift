import MartletCore
import MartletStore
import MartletTestSupport
import Testing

@Suite struct ProgressTests {
    @Test(arguments: Engine.allCases)
    func `a running job's last word is shown, of it alone`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let ids = try await fixture.enqueue(count: 3)
            let lease = try await fixture.claim(try await fixture.worker())[0]
            #expect(
                try await fixture.store.progress([
                    JobProgress(lease: lease.id, index: 0, fraction: 0.25, note: "page 1"),
                    JobProgress(lease: lease.id, index: 1, note: "reads"),
                    JobProgress(lease: lease.id, index: 0, fraction: 0.5, note: "page 2"),
                ]) == [])
            let first = try #require(try await fixture.store.job(ids[0])?.summary.progress)
            #expect(first.fraction == 0.5 && first.note == "page 2")
            #expect(first.at >= (try await fixture.store.job(ids[0])?.summary.startedAt ?? first.at))
            _ = try await fixture.store.progress([JobProgress(lease: lease.id, index: 0, fraction: 0.75)])
            let running = try await fixture.store.list(JobQuery(state: .running)).jobs
            #expect(running.map(\.id) == ids.reversed())
            #expect(running.map(\.progress?.fraction) == [nil, nil, 0.75])
            #expect(running.map(\.progress?.note) == [nil, "reads", nil])
        }
    }

    @Test(arguments: Engine.allCases)
    func `it is gone when the job has ended, however it did`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let ids = try await fixture.enqueue(count: 4)
            let worker = try await fixture.worker(lease: .seconds(10))
            let lease = try await fixture.claim(worker)[0]
            _ = try await fixture.store.progress(ids.indices.map { JobProgress(lease: lease.id, index: $0, fraction: 0.5) })
            try await fixture.settle(lease, 0, .completed(result: nil))
            try await fixture.settle(lease, 1, .retryable(.boom, after: .zero))
            try await fixture.settle(lease, 2, .failed(.boom, .exhausted))
            for id in ids[..<3] { #expect(try await fixture.store.job(id)?.summary.progress == nil) }
            #expect(try await fixture.store.job(ids[3])?.summary.progress?.fraction == 0.5)
            try await fixture.settle(lease, 3, .completed(result: nil))
            #expect(try fixture.keys(in: "progress").isEmpty, "nothing is left behind")

            let again = try await fixture.claim(worker)[0]
            #expect(try await fixture.store.job(ids[1])?.summary.progress == nil, "not of the run before")
            _ = try await fixture.store.progress([JobProgress(lease: again.id, index: 0, note: "again")])
            fixture.advance(.seconds(11))
            _ = try await fixture.store.recover()
            #expect(try await fixture.store.job(ids[1])?.summary.progress == nil)
            #expect(try fixture.keys(in: "progress").isEmpty)
        }
    }

    @Test(arguments: Engine.allCases)
    func `a whole lease settled at once leaves none behind`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            try await fixture.enqueue(count: 2)
            let lease = try await fixture.claim(try await fixture.worker())[0]
            _ = try await fixture.store.progress([JobProgress(lease: lease.id, index: 1, fraction: 1)])
            _ = try await fixture.store.settle([0, 1].map { .testing(lease.id, $0, .completed(result: nil)) })
            #expect(try fixture.keys(in: "progress").isEmpty)
        }
    }

    @Test(arguments: Engine.allCases)
    func `what comes too late changes nothing, and a lost lease is named`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let ids = try await fixture.enqueue(count: 2)
            let worker = try await fixture.worker()
            let lost = try await fixture.claim(worker)[0]
            try await fixture.store.deregister(worker)
            let lease = try await fixture.claim(try await fixture.worker())[0]
            try await fixture.settle(lease, 0, .completed(result: nil))
            let unknown = LeaseID(rawValue: 777)
            #expect(
                try await fixture.store.progress([
                    JobProgress(lease: lost.id, index: 0, fraction: 0.5),
                    JobProgress(lease: lease.id, index: 0, fraction: 0.5),
                    JobProgress(lease: lease.id, index: 9, fraction: 0.5), JobProgress(lease: unknown, index: 0),
                    JobProgress(lease: lease.id, index: -1, fraction: 0.5),
                ]) == [lost.id, unknown])
            for id in ids { #expect(try await fixture.store.job(id)?.summary.progress == nil) }
            #expect(try await fixture.store.progress([]) == [])
        }
    }

    @Test func `what a handler says is made to fit`() {
        func said(_ fraction: Double?, _ note: String? = nil) -> JobProgress {
            JobProgress(lease: LeaseID(rawValue: 1), index: 0, fraction: fraction, note: note)
        }
        #expect(said(-1).fraction == 0 && said(7).fraction == 1 && said(.infinity).fraction == 1)
        #expect(said(.nan).fraction == nil)
        #expect(said(nil, "a\0b\0").note == "a\u{2400}b\u{2400}")
        let long = said(nil, String(repeating: "ü", count: 500)).note
        #expect(long?.utf8.count ?? 0 <= 200 && long?.hasSuffix("…") == true)
    }
}
