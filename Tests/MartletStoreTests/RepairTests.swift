import MartletCore
import MartletStore
import MartletTestSupport
import Testing

@Suite struct RepairTests {
    /// One job in each state, with a live worker that holds the running one.
    private func oneOfEach(_ fixture: StoreFixture) async throws -> (ids: [JobState: JobID], running: Lease) {
        var ids: [JobState: JobID] = [:]
        let worker = try await fixture.worker()
        for (state, ending) in [
            (JobState.completed, Ending.completed(result: nil)), (.failed, .failed(.boom, .exhausted)),
            (.cancelled, .cancelled), (.retryable, .retryable(.boom, after: .seconds(600))),
        ] {
            ids[state] = try await fixture.enqueue()[0]
            try await fixture.settle(try await fixture.claim(worker)[0], 0, ending)
        }
        ids[.running] = try await fixture.enqueue()[0]
        let running = try await fixture.claim(worker)[0]
        ids[.scheduled] = try await fixture.enqueue(start: .after(.seconds(600)))[0]
        ids[.available] = try await fixture.enqueue()[0]
        for (state, id) in ids { #expect(try await fixture.state(id) == state) }
        return (ids, running)
    }

    @Test(arguments: Engine.allCases, Repair.allCases)
    func `each repair takes the states it is for and refuses the others by name`(_ engine: Engine, _ repair: Repair)
        async throws
    {
        try await withStore(engine) { fixture in
            let (ids, _) = try await oneOfEach(fixture)
            let unknown = JobID(rawValue: 1_000_000)
            let selection = JobSelection.ids(JobState.allCases.map { ids[$0]! } + [unknown])
            let before = try await fixture.counts()
            let preview = try await fixture.store.preview(repair, selection)
            #expect(try await fixture.counts() == before, "a preview changes nothing")
            let reply: RepairReply
            switch repair {
            case .retry: reply = try await fixture.store.retry(selection)
            case .cancel: reply = try await fixture.store.cancel(selection)
            case .discard: reply = try await fixture.store.discard(selection)
            }
            #expect(reply == preview)
            #expect(reply.missing == [unknown])
            #expect(reply.changed == repair.states.count)
            #expect(Set(reply.refused.map(\.state)) == Set(JobState.allCases).subtracting(repair.states))
            for refusal in reply.refused { #expect(try await fixture.state(refusal.id) == refusal.state) }
            for state in repair.states {
                let after = try await fixture.state(ids[state]!)
                switch repair {
                case .retry: #expect(after == .available)
                case .cancel: #expect(after == (state == .running ? .running : .cancelled))
                case .discard: #expect(after == nil)
                }
            }
        }
    }

    @Test(arguments: Engine.allCases)
    func `a cancelled waiting job is never claimed, its neighbours are`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let ids = try await fixture.enqueue(count: 10)
            _ = try await fixture.store.cancel(.ids([ids[0], ids[4], ids[9]]))
            let claimed = try await fixture.claim(try await fixture.worker()).flatMap(\.jobs).map(\.id)
            #expect(claimed == ids.enumerated().filter { ![0, 4, 9].contains($0.offset) }.map(\.element))
            #expect(try await fixture.counts() == [.running: 7, .cancelled: 3])
        }
    }

    @Test(arguments: Engine.allCases)
    func `a lane of nothing but cancelled jobs does not hold up what follows`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let ids = try await fixture.enqueue(count: 30)
            _ = try await fixture.store.cancel(.ids(ids))
            let last = try await fixture.enqueue()
            let worker = try await fixture.worker()
            #expect(try await fixture.claim(worker, limit: 5).flatMap(\.jobs).map(\.id) == last)
            #expect(try await fixture.claim(worker, limit: 5).isEmpty)
        }
    }

    @Test(arguments: Engine.allCases)
    func `a running job that is to stop is named to its worker until it ends`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let ids = try await fixture.enqueue(count: 2)
            let worker = try await fixture.worker()
            let lease = try await fixture.claim(worker)[0]
            let reply = try await fixture.store.cancel(.ids([ids[1]]))
            #expect(reply.changed == 1 && reply.requested == 1)
            #expect(try fixture.store.heartbeat(worker).cancelled == [CancelRequest(lease: lease.id, index: 1)])
            try await fixture.settle(lease, 1, .cancelled)
            try await fixture.settle(lease, 0, .completed(result: nil))
            #expect(try await fixture.counts() == [.cancelled: 1, .completed: 1])
            #expect(try fixture.store.heartbeat(worker).cancelled == [])
        }
    }

    @Test(arguments: Engine.allCases)
    func `a job that was to stop when its worker died ends cancelled`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let ids = try await fixture.enqueue(count: 2)
            let worker = try await fixture.worker(lease: .seconds(10))
            _ = try await fixture.claim(worker)
            _ = try await fixture.store.cancel(.ids([ids[0]]))
            fixture.advance(.seconds(11))
            #expect(try await fixture.store.recover().recoveredJobs == 1)
            #expect(try await fixture.counts() == [.cancelled: 1, .available: 1])
        }
    }

    @Test(arguments: Engine.allCases)
    func `a retried failure gets one more attempt and keeps its history`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let id = try await fixture.failedJob("first")
            #expect(try await fixture.store.retry(.ids([id])).changed == 1)
            #expect(try await fixture.store.failures(limit: 10) == [])
            let lease = try await fixture.claim(try await fixture.worker())[0]
            #expect(lease.jobs[0].attempt == 2)
            try await fixture.settle(lease, 0, .failed(JobError(type: "exit", message: "second"), .exhausted))
            let job = try #require(try await fixture.store.job(id))
            #expect(job.errors.map(\.error.message) == ["first", "second"])
            #expect(job.summary.attempt == 2)
        }
    }

    @Test(arguments: Engine.allCases)
    func `a selection takes what matches, in pieces if need be`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            try await fixture.enqueue("a", count: 5_000, queue: "x")
            try await fixture.enqueue("b", count: 10, queue: "x")
            try await fixture.enqueue("a", count: 10, queue: "y")
            let selection = JobSelection.matching(states: [.available], filter: JobFilter(kind: "a", queue: "x"))
            #expect(try await fixture.store.preview(.cancel, selection).changed == 5_000)
            #expect(try await fixture.store.cancel(selection).changed == 5_000)
            #expect(try await fixture.counts() == [.available: 20, .cancelled: 5_000])
            #expect(
                try await fixture.store.retry(.matching(states: [.cancelled], filter: JobFilter())).changed == 5_000)
            #expect(try await fixture.counts() == [.available: 5_020])
        }
    }

    @Test(arguments: Engine.allCases, Repair.allCases)
    func `of jobs in many places, named in any order and some of them twice, each is found where it is`(
        _ engine: Engine, _ repair: Repair
    ) async throws {
        try await withStore(engine) { fixture in
            var random = SplitMix64(seed: 11)
            let worker = try await fixture.worker()
            let endings: [Ending?] = [
                nil, nil, .completed(result: nil), .failed(.boom, .exhausted), .cancelled, .givenBack,
                .retryable(.boom, after: .seconds(600)), .retryable(.boom, after: .zero),
            ]
            var ids: [JobID] = []
            for kind in ["a", "b", "a", "b"] {
                ids += try await fixture.enqueue(kind, count: 60)
                ids += try await fixture.enqueue(kind, count: 3, start: .after(.seconds(600)))
                for limit in [40, 1, 1, 7] {
                    for lease in try await fixture.claim(worker, "a", "b", limit: limit) {
                        for index in lease.jobs.indices {
                            guard let ending = endings.randomElement(using: &random)! else { continue }
                            try await fixture.settle(lease, index, ending)
                        }
                    }
                }
            }
            var before: [JobID: JobState] = [:]
            for id in ids { before[id] = try await fixture.state(id) }
            #expect(Set(before.values) == Set(JobState.allCases))
            ids.shuffle(using: &random)
            let named = ids + ids.prefix(50)
            let reply = try await fixture.store.repair(repair, named, only: nil, dryRun: false, attempts: nil)
            #expect(reply.changed == ids.count { repair.states.contains(before[$0]!) })
            #expect(reply.requested == (repair == .cancel ? ids.count { before[$0] == .running } : 0))
            #expect(reply.missing.isEmpty)
            let refused = ids.filter { !repair.states.contains(before[$0]!) }
            #expect(reply.refused == refused.map { RepairReply.Refusal(id: $0, state: before[$0]!) })
            for id in ids {
                let after = try await fixture.state(id)
                switch repair {
                case _ where !repair.states.contains(before[id]!): #expect(after == before[id])
                case .retry: #expect(after == .available)
                case .cancel: #expect(after == (before[id] == .running ? .running : .cancelled))
                case .discard: #expect(after == nil)
                }
            }
            let asked = try fixture.store.heartbeat(worker).cancelled
            #expect(asked.count == reply.requested && Set(asked).count == reply.requested)
        }
    }

    @Test(arguments: Engine.allCases)
    func `a selection of running jobs asks each of them once`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            try await fixture.enqueue(count: 3_000)
            let worker = try await fixture.worker()
            _ = try await fixture.claim(worker, limit: 3_000)
            let selection = JobSelection.matching(states: [.running], filter: JobFilter())
            let reply = try await fixture.store.cancel(selection)
            #expect(reply.changed == 3_000 && reply.requested == 3_000)
            #expect(try fixture.store.heartbeat(worker).cancelled.count == 3_000)
        }
    }

    @Test(arguments: Engine.allCases)
    func `a group of failures is retried by its fingerprint`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let first = try await fixture.failedJob("cannot read file 17")
            _ = try await fixture.failedJob("connection refused")
            let third = try await fixture.failedJob("cannot read file 42")
            let group = try #require(try await fixture.store.failures(limit: 10).first { $0.count == 2 })
            #expect([first, third].contains(group.example))
            let filter = JobFilter(kind: group.kind, fingerprint: group.fingerprint)
            #expect(try await fixture.store.retry(.matching(states: [.failed], filter: filter)).changed == 2)
            #expect(try await fixture.counts() == [.available: 2, .failed: 1])
        }
    }

    @Test(arguments: Engine.allCases)
    func `a run that was to stop does not run again, however it ends`(_ engine: Engine) async throws {
        let endings: [Ending] = [
            .retryable(.boom, after: .zero), .retryable(.boom, after: .seconds(5)), .snoozed(.seconds(5)), .givenBack,
            .cancelled,
        ]
        try await withStore(engine) { fixture in
            let worker = try await fixture.worker()
            for ending in endings {
                let id = try await fixture.enqueue()[0]
                let lease = try await fixture.claim(worker)[0]
                _ = try await fixture.store.cancel(.ids([id]))
                try await fixture.settle(lease, 0, ending)
                #expect(try await fixture.state(id) == .cancelled)
            }
            #expect(try await fixture.counts() == [.cancelled: endings.count])
            let id = try await fixture.enqueue()[0]
            let lease = try await fixture.claim(worker)[0]
            _ = try await fixture.store.cancel(.ids([id]))
            try await fixture.settle(lease, 0, .completed(result: nil))
            #expect(try await fixture.state(id) == .completed, "it was done before it could stop")
        }
    }

    @Test(arguments: Engine.allCases)
    func `a discarded job is unknown to every verb`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let waiting = try await fixture.enqueue()[0]
            _ = try await fixture.store.cancel(.ids([waiting]))
            let failed = try await fixture.failedJob()
            let passed = try await fixture.enqueue(count: 2)
            _ = try await fixture.store.cancel(.ids([passed[0]]))
            let dying = try await fixture.worker(lease: .seconds(10))
            _ = try await fixture.claim(dying)
            _ = try await fixture.store.cancel(.ids([passed[1]]))
            fixture.advance(.seconds(11))
            _ = try await fixture.store.recover()
            let gone = [waiting, failed] + passed
            #expect(try await fixture.store.discard(.ids(gone)).changed == 4)
            for id in gone {
                #expect(try await fixture.state(id) == nil)
                for repair in Repair.allCases {
                    #expect(try await fixture.store.preview(repair, .ids([id])) == RepairReply(changed: 0, missing: [id]))
                }
            }
            #expect(try await fixture.store.retry(.ids(gone)).missing == gone)
            #expect(try await fixture.store.cancel(.ids(gone)).missing == gone)
        }
    }

    @Test(arguments: Engine.allCases)
    func `a bulk retry takes each job once, though a worker fails them again at once`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let count = 6_000
            try await fixture.enqueue(count: count)
            let worker = try await fixture.worker(lease: .seconds(900))
            func failAll() async throws -> Int {
                var failed = 0
                for lease in try await fixture.claim(worker, limit: 4_000) {
                    _ = try await fixture.store.settle(
                        lease.jobs.indices.map { .testing(lease.id, $0, .failed(.boom, .exhausted)) })
                    failed += lease.jobs.count
                }
                return failed
            }
            var first = 0
            while first < count { first += try await failAll() }
            async let retried = fixture.store.retry(.matching(states: [.failed], filter: JobFilter()))
            var again = 0
            while again < count { again += try await failAll() }
            #expect(try await retried.changed == count)
            #expect(try await failAll() == 0)
            #expect(try await fixture.counts() == [.failed: count])
        }
    }

    @Test(arguments: Engine.allCases)
    func `a running job says that it was asked to stop, and no other does`(engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let ids = try await fixture.enqueue(count: 4)
            let lease = try await fixture.claim(try await fixture.worker(), limit: 3)[0]
            _ = try await fixture.store.cancel(.ids([ids[1], ids[2]]))
            func asked() async throws -> [JobID] {
                let jobs = try await fixture.store.list(JobQuery()).jobs.filter(\.cancelRequested).map(\.id)
                for id in ids {
                    #expect(try await fixture.store.job(id)?.summary.cancelRequested == jobs.contains(id))
                }
                return jobs.sorted()
            }
            #expect(try await asked() == [ids[1], ids[2]])
            try await fixture.settle(lease, 1, .cancelled)
            #expect(try await asked() == [ids[2]])
            try await fixture.settle(lease, 2, .completed(result: nil))
            #expect(try await asked() == [])
        }
    }

    @Test(arguments: Engine.allCases)
    func `a repair of many tells how far it is`(engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let count = 2 * Limits.repairPiece + 1
            try await fixture.enqueue(count: count)
            var told: [[Int]] = []
            let reply = try await fixture.store.carryOut(
                .cancel, .matching(states: [.available], filter: JobFilter())
            ) { told.append([$0, $1]) }
            #expect(reply == RepairReply(changed: count))
            #expect(told == [[Limits.repairPiece, count], [2 * Limits.repairPiece, count], [count, count]])
        }
    }

    @Test(arguments: Engine.allCases)
    func `a retried job goes on with what it has left, or with as many attempts as it is given`(_ engine: Engine)
        async throws
    {
        try await withStore(engine) { fixture in
            let ids = try await fixture.enqueue(count: 2, maxAttempts: 1)
            let worker = try await fixture.worker()
            let lease = try await fixture.claim(worker)[0]
            for index in 0..<2 { try await fixture.settle(lease, index, .failed(.boom, .exhausted), maxAttempts: 1) }
            #expect(try await fixture.store.retry(.ids([ids[0]])).changed == 1)
            #expect(try await fixture.store.retry(.ids([ids[1]]), attempts: 4).changed == 1)
            let again = try await fixture.claim(worker)[0]
            #expect(again.jobs.map(\.attempt) == [2, 2])
            #expect(again.jobs.map(\.maxAttempts) == [1, 5])
            // One that waits for another attempt, too.
            try await fixture.settle(again, 1, .retryable(.boom, after: .seconds(60)), maxAttempts: 5)
            #expect(try await fixture.store.retry(.ids([ids[1]]), attempts: 1).changed == 1)
            #expect(try await fixture.claim(worker)[0].jobs.map(\.maxAttempts) == [3])
        }
    }
}
