import MartletCore
import Testing

@testable import MartletWorker

@Suite struct AdaptingTests {
    @Test func `a kind that only waits gets more runs at a time, and the worker says why`() async throws {
        let bench = Bench()
        bench.store.add(100_000, "wait")
        var configuration = WorkerConfiguration.quick
        configuration.concurrency = 64
        let handler = Handler(kind: "wait", adapts: true) { _ in
            do { try await Task.sleep(for: .milliseconds(20)) } catch { return .interrupted }
            return .completed(result: nil)
        }
        _ = try await bench.run([handler], configuration, stop: .now) { _ in
            try await eventually("the limit grows") {
                bench.events.contains {
                    if case .adapted("wait", let concurrency, let reason) = $0 {
                        concurrency >= 4 && reason.contains("more than")
                    } else {
                        false
                    }
                }
            }
        }
    }

    @Test func `slots are held from when they are seen, not since somebody looked last`() {
        var meter = Meter(now: at(0))
        meter.look(slots: 0, now: at(100))
        // Nothing ran, so nobody looked; then a burst.
        meter.look(slots: 8, now: at(900))
        meter.look(slots: 8, now: at(1_000))
        let machine = AutoLimit.Machine()
        #expect(abs(meter.close(machine: machine, now: at(1_000)).held - 0.8) < 0.001)
        meter.look(slots: 0, now: at(1_250))
        #expect(abs(meter.close(machine: machine, now: at(2_000)).held - 2) < 0.001, "the next window begins with them")
    }

    @Test func `a limit that falls holds for claims at once, and for slots as they come free`() {
        var state = IntakeState(concurrency: 16, limits: [8], poll: .seconds(1), drain: false)
        state.buffered(0, 6)
        for _ in 0..<6 { state.took(0, jobs: 1) }
        state.limit(0, to: 2)
        #expect(state.share(0) == 0)
        #expect(state.next(now: at(0)) == .wait(nil), "six run, and two may")
        for _ in 0..<5 { state.left(0, wasOverdue: false) }
        #expect(state.share(0) > 0)
        #expect(
            state.next(now: at(1))
                == .claim(.init(question: .front, wants: [.init(kind: 0, limit: 1)], limit: 15)))
    }

    @Test func `what a fast kind has claimed ahead follows its limit`() {
        var state = IntakeState(concurrency: 100, limits: [50], poll: .seconds(1), drain: false)
        state.measured(0, jobs: 10, total: .milliseconds(50))
        func ahead(_ limit: Int) -> Int? {
            var state = state
            state.limit(0, to: limit)
            _ = state.next(now: at(0))
            state.answered(jobs: 0, now: at(0))
            guard case .claim(let plan) = state.next(now: at(0)), plan.question == .ahead else { return nil }
            return plan.limit
        }
        // 5 ms each: ten in a horizon of 50 ms, for each one at a time.
        #expect(ahead(50) == 500)
        #expect(ahead(2) == 20)
    }
}
