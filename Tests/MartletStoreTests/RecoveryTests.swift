import MartletCore
import MartletStore
import MartletTestSupport
import Testing

@Suite struct RecoveryTests {
    @Test(arguments: Engine.allCases)
    func `a silent worker's undone jobs become available, its done ones stay done`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let ids = try await fixture.enqueue(count: 4)
            let worker = try await fixture.worker(lease: .seconds(10))
            let lease = try await fixture.claim(worker)[0]
            try await fixture.settle(lease, 1, .completed(result: nil))
            try await fixture.settle(lease, 2, .failed(.boom, .discarded))
            #expect(try await fixture.store.recover().workers == [])
            fixture.advance(.seconds(11))
            let reply = try await fixture.store.recover()
            #expect(reply == RecoveryReply(workers: [worker], revokedLeases: 1, recoveredJobs: 2))
            #expect(try await fixture.counts() == [.available: 2, .completed: 1, .failed: 1])
            let job = try #require(try await fixture.store.job(ids[0]))
            #expect(job.crashes == 1)
            #expect(job.summary.attempt == 0, "no attempt is charged for a crash")
            #expect(job.errors.map(\.error.type) == ["crash"])
            #expect(job.errors[0].worker == "tester")
            #expect(try await fixture.store.recover().workers == [])
        }
    }

    @Test(arguments: Engine.allCases)
    func `a heartbeat keeps a worker alive`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            try await fixture.enqueue()
            let worker = try await fixture.worker(lease: .seconds(10))
            let lease = try await fixture.claim(worker)[0]
            for _ in 0..<5 {
                fixture.advance(.seconds(7))
                #expect(try fixture.store.heartbeat(worker) == HeartbeatReply(alive: true, cancelled: []))
                #expect(try await fixture.store.recover().workers == [])
            }
            #expect(try await fixture.settle(lease, 0, .completed(result: nil)).lost == [])
        }
    }

    @Test(arguments: Engine.allCases)
    func `a worker that was declared dead hears of it and stays dead`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let worker = try await fixture.worker(lease: .seconds(10))
            fixture.advance(.seconds(11))
            _ = try await fixture.store.recover()
            #expect(try fixture.store.heartbeat(worker).alive == false)
            #expect(try fixture.store.heartbeat(WorkerID(rawValue: 999)).alive == false)
            #expect(try await fixture.store.workers() == [])
        }
    }

    @Test(arguments: Engine.allCases)
    func `leaving gives back what is left, and blames no job`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let id = try await fixture.enqueue()[0]
            let worker = try await fixture.worker()
            let lease = try await fixture.claim(worker)[0]
            try await fixture.store.deregister(worker)
            #expect(try await fixture.state(id) == .available)
            #expect(try await fixture.store.job(id)?.crashes == 0)
            #expect(try await fixture.settle(lease, 0, .completed(result: nil)).lost == [lease.id])
        }
    }

    @Test(arguments: Engine.allCases)
    func `many recover at once, and each job comes back once`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            try await fixture.enqueue(count: 500)
            for _ in 0..<5 {
                let worker = try await fixture.worker(lease: .seconds(10))
                _ = try await fixture.claim(worker, limit: 100)
            }
            fixture.advance(.seconds(11))
            let other = try await fixture.another()
            let recovered = try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<8 {
                    let store = number % 2 == 0 ? fixture.store : other
                    group.addTask { try await store.recover().recoveredJobs }
                }
                return try await group.reduce(0, +)
            }
            #expect(recovered == 500)
            #expect(try await fixture.counts() == [.available: 500])
            await other.close()
        }
    }

    @Test(arguments: Engine.allCases)
    func `registered workers are listed with what they run`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            try await fixture.enqueue(count: 3)
            let worker = try await fixture.worker("alice", lease: .seconds(10))
            _ = try await fixture.claim(worker)
            let listed = try await fixture.store.workers()
            #expect(listed.map(\.name) == ["alice"])
            #expect(listed[0].running == 3)
            #expect(listed[0].alive)
            #expect(listed[0].kinds == ["work"])
            #expect(listed[0].queues == nil)
            fixture.advance(.seconds(11))
            #expect(try await fixture.store.workers().map(\.alive) == [false])
        }
    }

    @Test(arguments: Engine.allCases)
    func `a job whose workers keep dying waits longer each time`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let id = try await fixture.enqueue()[0]
            var waits: [Duration] = []
            for crash in 1...5 {
                let worker = try await fixture.worker(lease: .seconds(10))
                #expect(try await fixture.claim(worker).flatMap(\.jobs).map(\.id) == [id])
                fixture.advance(.seconds(11))
                #expect(try await fixture.store.recover().recoveredJobs == 1)
                let job = try #require(try await fixture.store.job(id))
                #expect(job.crashes == crash)
                #expect(job.summary.attempt == 0)
                let due = try await fixture.store.promote(limit: 10).nextDue
                #expect(job.summary.state == (crash < 3 ? .available : .retryable))
                if let due {
                    waits.append(due)
                    fixture.advance(due + .seconds(1))
                    _ = try await fixture.store.promote(limit: 10)
                }
            }
            #expect(waits.count == 3 && waits[0] < waits[1] && waits[1] < waits[2])
        }
    }
}
