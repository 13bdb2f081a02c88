import Logging
import MartletCore
import MartletStore
import MartletTestSupport
import MartletWorker
import Synchronization
import Testing

/// Workers on real stores: what the parts promise each other holds.
@Suite struct EngineTests {
    private let events = Events()

    private func worker(
        _ fixture: StoreFixture, _ handlers: [Handler], store: (any JobStore)? = nil, drain: Bool = false,
        configuration: WorkerConfiguration = .quick
    ) -> WorkerService {
        var configuration = configuration
        configuration.drain = drain
        return WorkerService(
            store: store ?? fixture.store, handlers: handlers, configuration: configuration, logger: .silent,
            observer: { [events] in events.append($0) })
    }

    /// Waits for a fact in the database.
    private func eventually(
        _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation, _ fact: () async throws -> Bool
    ) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while try await !fact() {
            try #require(ContinuousClock.now < deadline, what, sourceLocation: sourceLocation)
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    @Test(arguments: Engine.allCases) func `jobs of every fate end as they should, retries included`(engine: Engine)
        async throws
    {
        try await withStore(engine) { fixture in
            try await fixture.enqueue("good", count: 5_000)
            let flaky = try await fixture.enqueue("flaky", count: 300)
            let doomed = try await fixture.enqueue("doomed", count: 50, maxAttempts: 3)
            let given = try await fixture.enqueue("given-up", count: 20)
            let worker = worker(
                fixture,
                [
                    Handler(kind: "good", run: done),
                    Handler(kind: "flaky", retry: .delays([.zero, .milliseconds(20)])) { call in
                        call.attempt < 3 ? .retry(boom) : .completed(result: nil)
                    },
                    Handler(kind: "doomed", retry: RetryPolicy(backoff: .delays([.zero]), jitter: 0)) { _ in .retry(boom) },
                    Handler(kind: "given-up") { _ in .discard(boom) },
                ])
            let task = Task { try await worker.run() }
            try await eventually("all ended") {
                try await fixture.counts() == [.completed: 5_300, .failed: 70]
            }
            worker.stop(.graceful)
            try await task.value
            #expect(worker.tally.completed == 5_300)
            #expect(worker.tally.failed == 70)
            #expect(worker.tally.retried == 2 * 300 + 2 * 50)
            #expect(worker.tally.fenced == 0)
            let detail = try #require(try await fixture.store.job(flaky[7]))
            #expect(detail.errors.map(\.attempt) == [1, 2])
            #expect(try await fixture.store.job(doomed[0])?.reason == .exhausted)
            #expect(try await fixture.store.job(given[0])?.reason == .discarded)
            #expect(try await fixture.store.workers().filter(\.alive).isEmpty)
        }
    }

    @Test(arguments: Engine.allCases) func `two workers share the work and no job runs twice`(engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let ids = try await fixture.enqueue("work", count: 9_000)
            let another = try await fixture.another()
            let runs = Runs()
            let handler = Handler(kind: "work") { call in
                runs.count(call.id)
                return .completed(result: nil)
            }
            let workers = [
                worker(fixture, [handler], drain: true), worker(fixture, [handler], store: another, drain: true),
            ]
            try await withThrowingTaskGroup { group in
                for worker in workers { group.addTask { try await worker.run() } }
                try await group.waitForAll()
            }
            #expect(runs.all == Dictionary(uniqueKeysWithValues: ids.map { ($0, 1) }))
            #expect(workers.map(\.tally.completed).reduce(0, +) == 9_000)
            #expect(try await fixture.counts() == [.completed: 9_000])
            await another.close()
        }
    }

    @Test(arguments: Engine.allCases) func `a drain does what is due, and leaves what is due later`(engine: Engine)
        async throws
    {
        try await withStore(engine) { fixture in
            try await fixture.enqueue("work", count: 10)
            try await fixture.enqueue("work", count: 5, start: .after(.seconds(60)))
            try await fixture.enqueue("work", count: 3, start: .after(.seconds(7_200)))
            fixture.advance(.seconds(61))
            // Not due again before everything is counted, however slow the machine is.
            let handler = Handler(kind: "work") { call in
                call.id.rawValue % 2 == 0 ? .retry(boom, after: .seconds(3_600)) : .completed(result: nil)
            }
            try await worker(fixture, [handler], drain: true).run()
            let counts = try await fixture.counts()
            #expect(counts[.scheduled] == 3)
            #expect(counts[.available] == nil && counts[.running] == nil)
            #expect((counts[.completed] ?? 0) + (counts[.retryable] ?? 0) == 15)
        }
    }

    @Test(arguments: Engine.allCases) func `a scheduled job runs when it is due, without anybody's hint`(engine: Engine)
        async throws
    {
        try await withStore(engine) { fixture in
            let id = try await fixture.enqueue("work", start: .after(.seconds(3_600)))[0]
            let worker = worker(fixture, [Handler(kind: "work", run: done)])
            let task = Task { try await worker.run() }
            try await eventually("it looked") { !events.contains { if case .claimed = $0 { true } else { false } } }
            #expect(try await fixture.state(id) == .scheduled)
            fixture.advance(.seconds(3_601))
            try await eventually("it ran") { try await fixture.state(id) == .completed }
            worker.stop(.graceful)
            try await task.value
        }
    }

    @Test(arguments: Engine.allCases) func `a person's cancel reaches a running job`(engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let gate = Gate()
            let ids = try await fixture.enqueue("long", count: 3)
            let worker = worker(
                fixture,
                [
                    Handler(kind: "long") { _ in
                        await gate.pass()
                        return Task.isCancelled ? .interrupted : .completed(result: nil)
                    }
                ])
            let task = Task { try await worker.run() }
            try await eventually("all run") { gate.arrived == 3 }
            let reply = try await fixture.store.cancel(.ids([ids[1]]))
            #expect(reply.requested == 1)
            try await eventually("it is cancelled") { try await fixture.state(ids[1]) == .cancelled }
            #expect(try await fixture.state(ids[0]) == .running)
            gate.open()
            try await eventually("the others end well") {
                try await fixture.counts() == [.completed: 2, .cancelled: 1]
            }
            worker.stop(.graceful)
            try await task.value
        }
    }

    @Test(arguments: Engine.allCases) func `jobs of a worker that died are run by another`(engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let ids = try await fixture.enqueue("work", count: 10)
            let dead = try await fixture.worker("dead")
            let lease = try await fixture.claim(dead, limit: 10)[0]
            try await fixture.settle(lease, 3, .completed(result: nil))
            fixture.advance(.seconds(60))
            let runs = Runs()
            let worker = worker(
                fixture,
                [
                    Handler(kind: "work") { call in
                        runs.count(call.id)
                        return .completed(result: nil)
                    }
                ])
            let task = Task { try await worker.run() }
            try await eventually("all ended") { try await fixture.counts() == [.completed: 10] }
            worker.stop(.graceful)
            try await task.value
            #expect(Set(runs.all.keys) == Set(ids.filter { $0 != ids[3] }))
            #expect(events.contains { if case .recovered(let reply) = $0 { reply.workers == [dead] } else { false } })
        }
    }

    @Test(arguments: Engine.allCases) func `a worker that was declared dead settles nothing of then, and goes on`(
        engine: Engine
    ) async throws {
        try await withStore(engine) { fixture in
            let gate = Gate()
            let ids = try await fixture.enqueue("long", count: 2)
            let worker = worker(
                fixture,
                [
                    Handler(kind: "long") { call in
                        if call.attempt == 1, gate.arrived < 2 { await gate.pass() }
                        return .completed(result: JSONText(trusted: Array("\(call.lease)".utf8)))
                    }
                ])
            let task = Task { try await worker.run() }
            try await eventually("both run") { gate.arrived == 2 }
            let first = try #require(try await fixture.store.job(ids[0])?.lease)
            // Somebody else's clock says that the worker has been silent for too long.
            // A beat of its own between the two would save it.
            repeat { fixture.advance(.seconds(60)) } while try await fixture.store.recover().workers.isEmpty
            try await eventually("both ran again") { try await fixture.counts() == [.completed: 2] }
            worker.stop(.graceful)
            try await task.value
            for id in ids {
                let result = try #require(try await fixture.store.job(id)?.result)
                #expect(Int64(result.string)! > first.rawValue, "the second lease's result counts")
            }
            #expect(events.count { if case .registered = $0 { true } else { false } } == 2)
        }
    }

    @Test(arguments: Engine.allCases) func `what a stopping worker gives back is charged to nobody`(engine: Engine)
        async throws
    {
        try await withStore(engine) { fixture in
            let gate = Gate()
            let ids = try await fixture.enqueue("long", count: 6)
            var configuration = WorkerConfiguration.quick
            configuration.grace = .zero
            let worker = worker(
                fixture,
                [
                    Handler(kind: "long") { _ in
                        await gate.pass(); return .interrupted
                    }
                ], configuration: configuration)
            let task = Task { try await worker.run() }
            try await eventually("four run") { gate.arrived == 4 }
            worker.stop(.graceful)
            try await task.value
            #expect(try await fixture.counts() == [.available: 6])
            let attempts = Attempts()
            try await self.worker(
                fixture,
                [
                    Handler(kind: "long") { call in
                        attempts.add(call.attempt)
                        return .completed(result: nil)
                    }
                ], drain: true
            ).run()
            #expect(attempts.all == Array(repeating: 1, count: 6))
            #expect(try await fixture.store.job(ids[0])?.errors.isEmpty == true)
        }
    }

    @Test(arguments: Engine.allCases) func `the most urgent jobs run first`(engine: Engine) async throws {
        try await withStore(engine) { fixture in
            var expected: [JobID] = []
            for priority in [9, 0, 5] { expected += try await fixture.enqueue("work", count: 3, priority: priority) }
            expected = [3, 4, 5, 6, 7, 8, 0, 1, 2].map { expected[$0] }
            let order = Runs()
            var configuration = WorkerConfiguration.quick
            configuration.concurrency = 1
            try await worker(
                fixture,
                [
                    Handler(kind: "work") { call in
                        order.count(call.id)
                        return .completed(result: nil)
                    }
                ], drain: true, configuration: configuration
            ).run()
            #expect(order.inOrder == expected)
        }
    }

    @Test(arguments: Engine.allCases) func `a command's job carries its result or its captured error`(engine: Engine)
        async throws
    {
        try await withStore(engine) { fixture in
            let good = try await fixture.enqueue("shout", args: #"{"text":"hello"}"#)[0]
            let bad = try await fixture.enqueue("fail", maxAttempts: 1)[0]
            let slow = try await fixture.enqueue("sleep", maxAttempts: 1, timeout: .milliseconds(50))[0]
            let shell = { (script: String) in try CommandSpec(argv: ["/bin/sh", "-c", script]) }
            try await worker(
                fixture,
                [
                    Handler(kind: "shout", command: try shell("tr a-z A-Z")),
                    Handler(kind: "fail", command: try shell("echo 'no such image' >&2; exit 4")),
                    Handler(kind: "sleep", command: try shell("exec sleep 1000")),
                ], drain: true
            ).run()
            #expect(try await fixture.store.job(good)?.result?.string == #"{"TEXT":"HELLO"}"#)
            let failed = try #require(try await fixture.store.job(bad)?.summary.error?.error)
            #expect(
                failed == JobError(type: "exit", message: "exited with status 4: no such image", detail: "no such image\n"))
            let timedOut = try #require(try await fixture.store.job(slow)?.summary.error?.error)
            #expect(timedOut.type == "timeout")
            #expect(timedOut.message == "timed out after 50ms")
        }
    }

    @Test(arguments: Engine.allCases)
    func `a job that is too late does not run, is told of, and its neighbours run`(engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let late = try await fixture.enqueue("work", count: 3, expires: .after(.seconds(10)))
            fixture.advance(.seconds(20))
            let inTime = try await fixture.enqueue("work", count: 2, expires: .after(.seconds(1_000)))
            let ran = Mutex<Set<JobID>>([])
            let worker = worker(
                fixture,
                [
                    Handler(kind: "work") { call in
                        ran.withLock { _ = $0.insert(call.id) }
                        return .completed(result: nil)
                    }
                ], drain: true)
            try await worker.run()
            #expect(ran.withLock { $0 } == Set(inTime))
            #expect(worker.tally.failed == 3 && worker.tally.completed == 2)
            for id in late { #expect(try await fixture.store.job(id)?.reason == .expired) }
            let told = events.count { event in
                guard case .jobEnded(_, let id, _, .failed(_, .expired), _) = event else { return false }
                return late.contains(id)
            }
            #expect(told == 3)
        }
    }

    @Test(arguments: Engine.allCases)
    func `the follow-ups of a run are enqueued with it, and a child's crashes end its job`(engine: Engine) async throws {
        try await withStore(engine) { fixture in
            try await fixture.enqueue("first", count: 20)
            let bad = try await fixture.enqueue("bad")[0]
            let next = try NewJob(kind: "second")
            let worker = worker(
                fixture,
                [
                    Handler(kind: "first", reporting: { _ in RunReport(.completed(result: nil), followUps: [next, next]) }),
                    Handler(kind: "second", run: done),
                    Handler(kind: "bad", retry: RetryPolicy(backoff: .delays([.zero]), jitter: 0)) { _ in .crashed(boom) },
                ], drain: true)
            try await worker.run()
            #expect(try await fixture.counts() == [.completed: 60, .failed: 1])
            let job = try #require(try await fixture.store.job(bad))
            #expect(job.reason == .crashed && job.crashes == 3 && job.errors.count == 3)
        }
    }
}

/// Which jobs ran, and how often.
private final class Runs: Sendable {
    private let ids = Mutex<[JobID]>([])

    func count(_ id: JobID) { ids.withLock { $0.append(id) } }

    var inOrder: [JobID] { ids.withLock { $0 } }
    var all: [JobID: Int] { Dictionary(inOrder.map { ($0, 1) }, uniquingKeysWith: +) }
}

private final class Attempts: Sendable {
    private let numbers = Mutex<[Int]>([])

    func add(_ number: Int) { numbers.withLock { $0.append(number) } }

    var all: [Int] { numbers.withLock { $0 } }
}
