import MartletCore
import MartletStore
import MartletWorker
import ServiceLifecycle
import Synchronization
import Testing

/// The whole worker on a scripted store.
@Suite struct WorkerTests {
    private let bench = Bench()
    private var store: ScriptedStore { bench.store }

    // MARK: Running

    @Test func `every job is settled once, and the drained worker ends`() async throws {
        let ids = store.add(10_000, "noop")
        let tally = try await bench.drain([Handler(kind: "noop", run: done)])
        #expect(tally.completed == 10_000)
        #expect(Set(store.endings.keys) == Set(ids))
        #expect(store.settlements.count == 10_000)
        #expect(store.change { $0.deregistered } == store.change { $0.registered })
    }

    @Test func `a handler is told everything about its job`() async throws {
        let calls = Mutex<[HandlerCall]>([])
        store.add(1, "a", attempt: 3, args: JSONText(trusted: Array("[1]".utf8)))
        store.add(1, "b", maxAttempts: 2, timeout: .seconds(7))
        let run: @Sendable (HandlerCall) async -> Outcome = { call in
            calls.withLock { $0.append(call) }
            return .completed(result: call.args)
        }
        try await bench.drain([
            Handler(kind: "a", timeout: nil, retry: RetryPolicy(maxAttempts: 9), run: run), Handler(kind: "b", run: run),
        ])
        let (a, b) = calls.withLock { calls in (calls.first { $0.kind == "a" }!, calls.first { $0.kind == "b" }!) }
        #expect(a.attempt == 3 && a.maxAttempts == 9 && a.timeout == nil && a.queue == "default")
        #expect(a.args.string == "[1]")
        #expect(b.attempt == 1 && b.maxAttempts == 2 && b.timeout == .seconds(7))
        #expect(a.lease != b.lease)
        #expect(store.endings[a.id] == .completed(result: a.args))
    }

    @Test func `every outcome becomes the ending it means`() async throws {
        let outcomes: [(Outcome, Ending)] = [
            (.completed(result: nil), .completed(result: nil)),
            (.retry(boom), .retryable(boom, after: .seconds(2))),
            (.retry(boom, after: .seconds(77)), .retryable(boom, after: .seconds(77))),
            (.snooze(.seconds(5)), .snoozed(.seconds(5))),
            (.discard(boom), .failed(boom, .discarded)),
            (.cancelled, .cancelled),
            (.interrupted, .givenBack),
        ]
        let ids = store.add(outcomes.count, "any")
        let last = store.add(1, "last", attempt: 3, maxAttempts: 3)
        let tally = try await bench.drain([
            Handler(kind: "any", retry: RetryPolicy(jitter: 0)) { call in outcomes[Int(call.id.rawValue) - 1].0 },
            Handler(kind: "last") { _ in .retry(boom) },
        ])
        for (id, (_, ending)) in zip(ids, outcomes) { #expect(store.endings[id] == ending) }
        #expect(store.endings[last[0]] == .failed(boom, .exhausted))
        #expect(tally.completed == 1 && tally.retried == 2 && tally.snoozed == 1 && tally.failed == 2)
        #expect(tally.cancelled == 1 && tally.givenBack == 1 && tally.settled == 8)
    }

    @Test func `no more handlers run at once than the kind and the worker allow`() async throws {
        let most = Mutex<(now: [String: Int], most: [String: Int], all: Int)>(([:], [:], 0))
        store.add(60, "narrow")
        store.add(60, "wide")
        let run: @Sendable (HandlerCall) async -> Outcome = { call in
            most.withLock { state in
                state.now[call.kind, default: 0] += 1
                state.most[call.kind] = max(state.most[call.kind] ?? 0, state.now[call.kind]!)
                state.all = max(state.all, state.now.values.reduce(0, +))
            }
            for _ in 0..<20 { await Task.yield() }
            most.withLock { $0.now[call.kind]! -= 1 }
            return .completed(result: nil)
        }
        try await bench.drain([Handler(kind: "narrow", concurrency: 2, run: run), Handler(kind: "wide", run: run)])
        let (narrow, wide, all) = most.withLock { ($0.most["narrow"]!, $0.most["wide"]!, $0.all) }
        #expect(narrow <= 2)
        #expect(wide <= 4)
        #expect(all <= 4)
        #expect(store.settlements.count == 120)
    }

    @Test func `long jobs are claimed only as slots come free`() async throws {
        let gate = Gate()
        store.add(100, "long")
        _ = try await bench.run([
            Handler(kind: "long") { _ in
                await gate.pass(); return .completed(result: nil)
            }
        ]) { _ in
            try await eventually("all slots are busy") { gate.arrived == 4 }
            #expect(store.change { $0.waiting["long"]!.count } == 96)
            gate.open()
            try await eventually("all are done") { store.settlements.count == 100 }
        }
    }

    @Test func `a short job is settled while a long one of the same lease still runs`() async throws {
        let gate = Gate()
        store.add(400, "mixed")
        let long = JobID(rawValue: 300)
        _ = try await bench.run([
            Handler(kind: "mixed") { call in
                if call.id == long { await gate.pass() }
                return .completed(result: nil)
            }
        ]) { _ in
            try await eventually("all the others are settled") { store.settlements.count == 399 }
            #expect(store.endings[long] == nil)
            gate.open()
            try await eventually("and then it is") { store.endings[long] != nil }
        }
    }

    @Test func `work that comes later is found by its hint, and without one by polling`() async throws {
        var configuration = WorkerConfiguration.quick
        configuration.poll = .seconds(3_600)
        _ = try await bench.run([Handler(kind: "noop", run: done)], configuration) { _ in
            try await eventually("it looked once") { store.change { $0.claims.count } > 0 }
            store.add(1, "noop")
            try await eventually("the hint was taken") { store.settlements.count == 1 }
        }
        let silent = Bench()
        _ = try await silent.run([Handler(kind: "noop", run: done)]) { _ in
            try await eventually("it looked once") { silent.store.change { $0.claims.count } > 0 }
            silent.store.change { script in
                script.waiting["noop"] = [
                    LeasedJob(
                        id: JobID(rawValue: 1), attempt: 1, crashes: 0, maxAttempts: nil, timeout: nil,
                        enqueuedAt: Timestamp(microseconds: 0), args: .emptyObject)
                ]
            }
            try await eventually("polling found it") { silent.store.settlements.count == 1 }
        }
    }

    // MARK: Timeouts and cancellation

    @Test func `a job that takes too long is cancelled and tried again`() async throws {
        let gate = Gate()
        let ids = store.add(1, "slow", timeout: .milliseconds(30))
        _ = try await bench.run([
            Handler(kind: "slow", retry: RetryPolicy(jitter: 0)) { _ in
                await gate.pass()
                return Task.isCancelled ? .interrupted : .completed(result: nil)
            }
        ]) { _ in try await eventually("it is settled") { !store.settlements.isEmpty } }
        #expect(
            store.endings[ids[0]]
                == .retryable(JobError(type: "timeout", message: "timed out after 30ms"), after: .seconds(2)))
    }

    @Test func `after a timeout the next job runs in a task that is not cancelled`() async throws {
        let gate = Gate()
        store.add(3, "slow", timeout: .milliseconds(30))
        let ids = store.add(3, "next")
        var configuration = WorkerConfiguration.quick
        configuration.concurrency = 1
        _ = try await bench.run(
            [
                Handler(kind: "slow") { _ in
                    await gate.pass(); return .interrupted
                },
                Handler(kind: "next") { _ in Task.isCancelled ? .discard(boom) : .completed(result: nil) },
            ], configuration
        ) { _ in try await eventually("all are settled") { store.settlements.count == 6 } }
        for id in ids { #expect(store.endings[id] == .completed(result: nil)) }
    }

    @Test func `a handler that ignores its timeout loses its slot, and what it returns later is ignored`() async throws {
        let gate = Gate()
        let stuck = store.add(1, "stuck", timeout: .milliseconds(20))
        var configuration = WorkerConfiguration.quick
        configuration.concurrency = 1
        let handlers = [
            Handler(kind: "stuck", unwind: .milliseconds(20)) { _ in
                await gate.pass(deaf: true)
                return .completed(result: nil)
            }, Handler(kind: "next", run: done),
        ]
        _ = try await bench.run(handlers, configuration) { _ in
            try await eventually("its slot is written off") {
                bench.events.contains { if case .abandoned("stuck", stuck[0], _) = $0 { true } else { false } }
            }
            let next = store.add(1, "next")
            try await eventually("another job runs in its place") { store.endings[next[0]] != nil }
            gate.open()
            let after = store.add(50, "next")
            try await eventually("and the worker goes on") { store.endings[after[49]] != nil }
        }
        #expect(store.settlements.count == 52, "it was settled once")
        guard case .retryable(let error, _) = store.endings[stuck[0]] else {
            Issue.record("not retryable")
            return
        }
        #expect(error.type == "timeout")
    }

    @Test func `a running job that a person cancels ends as cancelled`() async throws {
        let gate = Gate()
        let ids = store.add(2, "long")
        var configuration = WorkerConfiguration.quick
        configuration.lease = .milliseconds(300)
        _ = try await bench.run(
            [
                Handler(kind: "long") { _ in
                    await gate.pass()
                    return Task.isCancelled ? .retry(boom) : .completed(result: nil)
                }
            ], configuration
        ) { _ in
            try await eventually("both run") { gate.arrived == 2 }
            store.change { script in script.cancelRequests = [CancelRequest(lease: script.leases[0].id, index: 1)] }
            try await eventually("it is cancelled") { store.endings[ids[1]] == .cancelled }
            #expect(store.endings[ids[0]] == nil)
            gate.open()
            try await eventually("the other one ends well") { store.endings[ids[0]] == .completed(result: nil) }
        }
        #expect(store.settlements.count == 2)
    }

    // MARK: Leases

    @Test func `a worker that was declared dead stops its jobs, settles nothing of them, and registers anew`() async throws {
        let gate = Gate()
        let lost = store.add(4, "long")
        var configuration = WorkerConfiguration.quick
        configuration.lease = .milliseconds(300)
        let tally = try await bench.run(
            [
                Handler(kind: "long") { call in
                    if lost.contains(call.id) { await gate.pass() }
                    return .completed(result: nil)
                }
            ], configuration
        ) { _ in
            try await eventually("all run") { gate.arrived == 4 }
            store.change { $0.dead = [$0.registered[0]] }
            try await eventually("their tasks are cancelled") { gate.waiting == 0 }
            try await eventually("it registers anew") { store.change { $0.registered.count } == 2 }
            let next = store.add(1, "long")
            try await eventually("and goes on") { store.endings[next[0]] == .completed(result: nil) }
        }
        #expect(tally.settled == 1)
        #expect(store.settlements.count == 1)
        #expect(store.change { $0.claims.last?.worker } == store.change { $0.registered.last })
        #expect(bench.events.count { if case .heartbeatLost(.declaredDead) = $0 { true } else { false } } == 1)
    }

    @Test func `a worker that cannot renew stops its jobs before its leases end`() async throws {
        let gate = Gate()
        store.add(2, "long")
        var configuration = WorkerConfiguration.quick
        configuration.lease = .milliseconds(400)
        _ = try await bench.run(
            [
                Handler(kind: "long") { _ in
                    await gate.pass(); return .completed(result: nil)
                }
            ], configuration
        ) { _ in
            try await eventually("both run") { gate.arrived == 2 }
            store.change { $0.outage = StoreError(.unavailable, "away") }
            try await eventually("their tasks are cancelled") { gate.waiting == 0 }
            try await eventually("it says so") {
                bench.events.contains { if case .heartbeatLost(.expired) = $0 { true } else { false } }
            }
            store.change { $0.outage = nil }
            try await eventually("it registers anew") { store.change { $0.registered.count } == 2 }
        }
        #expect(store.settlements.isEmpty)
    }

    @Test func `jobs of a lease that the store took away are stopped`() async throws {
        let gate = Gate()
        store.add(2, "pair")
        _ = try await bench.run([
            Handler(kind: "pair") { call in
                if call.id.rawValue == 2 {
                    await gate.pass()
                } else {
                    while gate.arrived == 0 { await Task.yield() }
                    store.change { $0.lost = [call.lease] }
                }
                return .completed(result: nil)
            }
        ]) { worker in
            try await eventually("the loss is noticed") { worker.tally.fenced == 1 }
            try await eventually("the other job is stopped") { gate.arrived == 1 && gate.waiting == 0 }
        }
        #expect(store.settlements.isEmpty)
    }

    // MARK: Outages

    @Test func `handlers go on while the store is away, and are settled when it is back`() async throws {
        let gate = Gate()
        let ids = store.add(4, "long")
        _ = try await bench.run([
            Handler(kind: "long") { _ in
                await gate.pass(); return .completed(result: nil)
            }
        ]) { worker in
            try await eventually("all run") { gate.arrived == 4 }
            store.change { $0.outage = StoreError(.unavailable, "away") }
            gate.open()
            try await eventually("all are done") {
                bench.events.count { if case .jobEnded = $0 { true } else { false } } == 4
            }
            try await eventually("the outage is noticed") {
                bench.events.contains { if case .storeUnavailable = $0 { true } else { false } }
            }
            #expect(worker.tally.settled == 0)
            store.change { $0.outage = nil }
            try await eventually("all are settled") { worker.tally.completed == 4 }
        }
        #expect(Set(store.endings.keys) == Set(ids))
    }

    @Test func `a store that is away at the start is waited for`() async throws {
        store.change { $0.outage = StoreError(.unavailable, "away") }
        store.add(1, "noop")
        _ = try await bench.run([Handler(kind: "noop", run: done)]) { _ in
            try await eventually("it is noticed") {
                bench.events.contains { if case .storeUnavailable = $0 { true } else { false } }
            }
            store.change { $0.outage = nil }
            try await eventually("the job runs") { store.settlements.count == 1 }
        }
    }

    @Test func `an error that waiting does not cure ends the worker with it`() async throws {
        let gate = Gate()
        store.add(1, "long")
        let worker = bench.worker(
            [
                Handler(kind: "long") { _ in
                    await gate.pass(); return .interrupted
                }
            ], .quick)
        let task = Task { try await worker.run() }
        try await eventually("the job runs") { gate.arrived == 1 }
        store.change { $0.outage = StoreError(.unusable, "damaged") }
        let error = await #expect(throws: StoreError.self) { try await task.value }
        #expect(error?.code == .unusable)
        #expect(gate.waiting == 0, "its handlers were cancelled")
    }

    // MARK: Stopping

    @Test func `a graceful stop lets running jobs end and gives back those that have not begun`() async throws {
        let gate = Gate()
        store.add(2_000, "fast")
        let tally = try await bench.run([
            Handler(kind: "fast") { call in
                if call.id.rawValue > 500 { await gate.pass() }
                return .completed(result: nil)
            }
        ]) { worker in
            try await eventually("all slots are held") { gate.arrived == 4 }
            worker.stop(.graceful)
            try await eventually("what had not begun is given back") { worker.tally.givenBack > 0 }
            gate.open()
        }
        let leased = store.change { $0.leases.reduce(0) { $0 + $1.jobs.count } }
        #expect(tally.settled == leased, "everything claimed is accounted for")
        // How many of the first 500 had begun by then is the machine's pace; the four that held the slots were let end.
        #expect(tally.completed >= 4)
        #expect(tally.completed + tally.givenBack == leased)
        #expect(store.change { $0.deregistered.count } == 1)
    }

    @Test func `after the grace running jobs are cancelled and given back`() async throws {
        let gate = Gate()
        store.add(4, "long")
        var configuration = WorkerConfiguration.quick
        configuration.grace = .milliseconds(50)
        let tally = try await bench.run(
            [
                Handler(kind: "long") { _ in
                    await gate.pass(); return .retry(boom)
                }
            ], configuration
        ) { _ in try await eventually("all run") { gate.arrived == 4 } }
        #expect(tally.givenBack == 4)
    }

    @Test func `a second, more urgent order ends the grace`() async throws {
        let gate = Gate()
        store.add(1, "long")
        var configuration = WorkerConfiguration.quick
        configuration.grace = .seconds(3_600)
        let tally = try await bench.run(
            [
                Handler(kind: "long") { _ in
                    await gate.pass(); return .interrupted
                }
            ], configuration
        ) { worker in
            try await eventually("it runs") { gate.arrived == 1 }
            worker.stop(.graceful)
            try await eventually("the grace began") {
                bench.events.contains { if case .stopping(.graceful) = $0 { true } else { false } }
            }
            worker.stop(.now)
        }
        #expect(tally.givenBack == 1)
    }

    @Test func `cancelling the task that runs the worker stops it without a grace`() async throws {
        let gate = Gate()
        store.add(1, "long")
        var configuration = WorkerConfiguration.quick
        configuration.grace = .seconds(3_600)
        let worker = bench.worker(
            [
                Handler(kind: "long") { _ in
                    await gate.pass(); return .interrupted
                }
            ], configuration)
        let task = Task { try await worker.run() }
        try await eventually("it runs") { gate.arrived == 1 }
        task.cancel()
        try await task.value
        #expect(worker.tally.givenBack == 1)
        #expect(store.change { $0.deregistered.count } == 1)
    }

    @Test func `a service group stops it gracefully`() async throws {
        let gate = Gate()
        store.add(1, "long")
        let worker = bench.worker(
            [
                Handler(kind: "long") { _ in
                    await gate.pass(); return .completed(result: nil)
                }
            ], .quick)
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [.init(service: worker, successTerminationBehavior: .gracefullyShutdownGroup)], logger: .silent))
        let task = Task { try await group.run() }
        try await eventually("it runs") { gate.arrived == 1 }
        await group.triggerGracefulShutdown()
        try await eventually("it is stopping") {
            bench.events.contains { if case .stopping(.graceful) = $0 { true } else { false } }
        }
        gate.open()
        try await task.value
        #expect(worker.tally.completed == 1)
    }

    @Test func `a handler that ignores everything cannot keep the worker from ending`() async throws {
        let gate = Gate()
        store.add(1, "deaf")
        let tally = try await bench.run(
            [
                Handler(kind: "deaf", unwind: .milliseconds(20)) { _ in
                    await gate.pass(deaf: true)
                    return .completed(result: nil)
                }
            ], stop: .now
        ) { _ in try await eventually("it runs") { gate.arrived == 1 } }
        #expect(tally.givenBack == 1)
        gate.open()
    }

    @Test func `jobs that a claim brings while the worker stops are given back`() async throws {
        store.change { $0.holdsClaims = true }
        store.add(3, "noop")
        let tally = try await bench.run([Handler(kind: "noop", run: done)]) { worker in
            try await eventually("a claim is under way") { store.change { $0.held.count } == 1 }
            worker.stop(.graceful)
            try await eventually("it is stopping") {
                bench.events.contains { if case .stopping = $0 { true } else { false } }
            }
            store.letGo()
        }
        #expect(tally.givenBack == 3)
    }

    // MARK: Keeping

    @Test func `a drain goes on with what becomes due, and does not wait for what is due later`() async throws {
        store.change {
            $0.promotions = [
                PromotionReply(moved: 0, nextDue: .seconds(3_600)), PromotionReply(moved: 0, nextDue: .seconds(3_600)),
            ]
        }
        store.add(1, "noop")
        let tally = try await bench.drain([Handler(kind: "noop", run: done)])
        #expect(tally.completed == 1)
    }

    @Test func `due jobs are promoted in pieces, the dead looked for, and old jobs removed until none is left`() async throws
    {
        store.change {
            $0.promotions = [PromotionReply(moved: 1_000, nextDue: .zero), PromotionReply(moved: 7, nextDue: nil)]
            $0.removals = [1_000, 3]
        }
        var configuration = WorkerConfiguration.quick
        configuration.recovery = .milliseconds(20)
        _ = try await bench.run([Handler(kind: "noop", run: done)], configuration) { _ in
            try await eventually("both pieces are promoted") { store.change { $0.promotions.isEmpty } }
            try await eventually("everything old is removed") { store.change { $0.removals.isEmpty } }
            try await eventually("the dead are looked for again and again") { store.change { $0.recoveries } >= 3 }
        }
        #expect(bench.events.count { if case .promoted = $0 { true } else { false } } == 2)
        #expect(bench.events.count { if case .removed = $0 { true } else { false } } == 2)
    }

    @Test func `a worker keeps its leases while handlers block every thread of the pool`() async throws {
        let release = Blocker()
        store.add(64, "blocking")
        var configuration = WorkerConfiguration.quick
        configuration.concurrency = 64
        configuration.lease = .milliseconds(600)
        let worker = bench.worker(
            [
                Handler(kind: "blocking") { _ in
                    release.wait(); return .completed(result: nil)
                }
            ], configuration)
        let store = store
        // From a thread of its own, since no task makes progress meanwhile.
        let beats = Mutex(0)
        let watcher = Watcher {
            while store.change({ $0.leases.isEmpty }) {}
            let before = store.change { $0.heartbeats }
            while store.change({ $0.heartbeats }) < before + 3 {}
            beats.withLock { $0 = store.change { $0.heartbeats } - before }
            release.open()
        }
        let task = Task { try await worker.run() }
        try await eventually("all are settled") { worker.tally.completed == 64 }
        worker.stop(.graceful)
        try await task.value
        watcher.join()
        #expect(beats.withLock { $0 } >= 3)
        #expect(store.change { $0.registered.count } == 1)
    }
}
