import MartletCore
import MartletStore
import MartletTestSupport
import Testing

@Suite struct ListingTests {
    @Test(arguments: Engine.allCases)
    func `each state lists its jobs and no others`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            var expected: [JobState: Set<JobID>] = [:]
            let worker = try await fixture.worker()
            let endings: [(JobState, Ending)] = [
                (.completed, .completed(result: nil)), (.failed, .failed(.boom, .exhausted)), (.cancelled, .cancelled),
                (.retryable, .retryable(.boom, after: .seconds(600))), (.available, .retryable(.boom, after: .zero)),
                (.available, .givenBack), (.scheduled, .snoozed(.seconds(600))),
            ]
            for round in 0..<3 {
                let ids = try await fixture.enqueue(count: endings.count)
                let lease = try await fixture.claim(worker, limit: endings.count * 3)
                let mine = lease.flatMap { lease in lease.jobs.enumerated().map { (lease, $0.offset, $0.element.id) } }
                for (id, ending) in zip(ids, endings) {
                    let (lease, index, _) = try #require(mine.first { $0.2 == id })
                    try await fixture.settle(lease, index, ending.1)
                    expected[ending.0, default: []].insert(id)
                }
                for (lease, index, id) in mine where !ids.contains(id) {
                    try await fixture.settle(lease, index, .givenBack)
                }
                #expect(try await fixture.counts()[.available] == 2 * (round + 1))
            }
            let running = try await fixture.enqueue("held", count: 2)
            let holder = try await fixture.worker(kinds: ["held"])
            _ = try await fixture.claim(holder, "held")
            expected[.running] = Set(running)
            for state in JobState.allCases {
                let page = try await fixture.store.list(JobQuery(state: state))
                #expect(Set(page.jobs.map(\.id)) == expected[state], "\(state)")
                #expect(page.jobs.allSatisfy { $0.state == state })
                #expect(page.next == nil)
            }
            let all = try await fixture.store.list(JobQuery())
            #expect(Set(all.jobs.map(\.id)) == expected.values.reduce(into: []) { $0.formUnion($1) })
            #expect(all.jobs.count == 23)
        }
    }

    @Test(arguments: Engine.allCases)
    func `pages follow each other without gap or overlap`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let worker = try await fixture.worker(kinds: ["a", "b"])
            var all: Set<JobID> = []
            for round in 0..<12 {
                all.formUnion(try await fixture.enqueue(round % 2 == 0 ? "a" : "b", count: 20, priority: round % 3))
                all.formUnion(try await fixture.enqueue("a", count: 3, start: .after(.seconds(600))))
                for lease in try await fixture.claim(worker, "a", "b", limit: 9) {
                    for index in lease.jobs.indices {
                        let endings: [Ending] = [
                            .completed(result: nil), .failed(.boom, .exhausted), .retryable(.boom, after: .zero),
                        ]
                        try await fixture.settle(lease, index, endings[(index + round) % 3])
                    }
                }
            }
            for limit in [1, 7, 50] {
                var seen: [JobSummary] = []
                var after: Int64?
                repeat {
                    let page = try await fixture.store.list(JobQuery(limit: limit, after: after))
                    #expect(page.jobs.count == limit || page.next == nil)
                    seen += page.jobs
                    after = page.next
                } while after != nil
                #expect(seen.count == all.count)
                #expect(Set(seen.map(\.id)) == all)
                #expect(seen.map(\.cursor) == seen.map(\.cursor).sorted(by: >))
            }
        }
    }

    @Test(arguments: Engine.allCases)
    func `filters by kind, queue and time`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let old = try await fixture.enqueue("a", queue: "x")
            try await fixture.enqueue("b", queue: "x", start: .after(.seconds(900)))
            fixture.advance(.seconds(100))
            let since = try #require(try await fixture.store.job(old[0])).summary.enqueuedAt + .seconds(50)
            let new = try await fixture.enqueue("a", queue: "y")
            let newer = try await fixture.enqueue("a", queue: "x", start: .after(.seconds(900)))
            func ids(_ filter: JobFilter) async throws -> Set<JobID> {
                Set(try await fixture.store.list(JobQuery(filter: filter)).jobs.map(\.id))
            }
            #expect(try await ids(JobFilter(kind: "a")) == Set(old + new + newer))
            #expect(try await ids(JobFilter(kind: "a", queue: "x")) == Set(old + newer))
            #expect(try await ids(JobFilter(since: since)) == Set(new + newer))
            #expect(try await ids(JobFilter(kind: "nobody")) == [])
        }
    }

    @Test(arguments: Engine.allCases)
    func `a job shows where it stands at every step of its life`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let id = try await fixture.enqueue(start: .after(.seconds(10)))[0]
            func job() async throws -> JobDetail { try #require(try await fixture.store.job(id)) }
            #expect(try await job().summary.state == .scheduled)
            #expect(try await job().summary.runAt != nil)
            fixture.advance(.seconds(10))
            _ = try await fixture.store.promote(limit: 10)
            #expect(try await job().summary.state == .available)
            let worker = try await fixture.worker("alice")
            let lease = try await fixture.claim(worker)[0]
            #expect(try await job().summary.state == .running)
            #expect(try await job().lease == lease.id)
            #expect(try await job().summary.attempt == 1)
            #expect(try await job().summary.worker == "alice")
            #expect(try await job().summary.startedAt != nil)
            try await fixture.settle(lease, 0, .failed(.boom, .discarded))
            #expect(try await job().summary.state == .failed)
            #expect(try await job().reason == .discarded)
            #expect(try await job().summary.finishedAt != nil)
            #expect(try await fixture.store.job(JobID(rawValue: 424242)) == nil)
        }
    }
}
