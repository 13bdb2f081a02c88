import MartletCore
import MartletStore
import MartletWorker
import Synchronization
import Testing

/// What a worker runs, and what becomes of it: the whole worker on a scripted store.
@Suite struct RunningTests {
    private let bench = Bench()
    private var store: ScriptedStore { bench.store }

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
}
