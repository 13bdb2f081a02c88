import MartletCore
import Testing

@testable import MartletWorker

@Suite struct IntakeStateTests {
    typealias Plan = IntakeState.Plan

    private func state(_ concurrency: Int = 4, _ limits: [Int?] = [nil], drain: Bool = false) -> IntakeState {
        IntakeState(concurrency: concurrency, limits: limits, poll: .seconds(1), drain: drain)
    }

    private func plan(_ action: IntakeState.Action) -> Plan? {
        guard case .claim(let plan) = action else { return nil }
        return plan
    }

    /// Puts claimed jobs of a kind into slots.
    private func start(_ state: inout IntakeState, _ kind: Int, slots: Int) {
        state.buffered(kind, slots)
        for _ in 0..<slots { state.took(kind, jobs: 1) }
    }

    @Test func `the first claim of unknown kinds asks for as many jobs as there are slots`() {
        var state = state(4, [nil, 2])
        #expect(
            plan(state.next(now: at(0)))
                == Plan(question: .front, wants: [.init(kind: 0, limit: 4), .init(kind: 1, limit: 2)], limit: 4))
        #expect(state.next(now: at(0)) == .wait(nil), "one claim at a time")
    }

    @Test func `an empty answer is believed until the poll interval is over`() {
        var state = state()
        _ = state.next(now: at(0))
        state.answered(jobs: 0, now: at(5))
        #expect(state.next(now: at(5)) == .wait(at(1_005)))
        #expect(!state.isHungry(now: at(1_004)))
        #expect(state.isHungry(now: at(1_005)))
        #expect(plan(state.next(now: at(1_005))) != nil)
    }

    @Test func `a hint is asked about at once, also when it came during a claim that found nothing`() {
        var state = state()
        _ = state.next(now: at(0))
        state.answered(jobs: 0, now: at(5))
        state.hinted()
        #expect(plan(state.next(now: at(6))) != nil)
        state.hinted()
        state.answered(jobs: 0, now: at(7))
        #expect(plan(state.next(now: at(8))) != nil)
        state.answered(jobs: 0, now: at(9))
        #expect(state.next(now: at(9)) == .wait(at(1_009)))
    }

    @Test func `hints without end cannot make it ask without end`() {
        var state = state()
        _ = state.next(now: at(0))
        state.hinted()
        state.answered(jobs: 0, now: at(5))
        for _ in 0..<10 {
            state.hinted()
            #expect(state.next(now: at(5)) == .wait(at(6)))
            #expect(!state.isHungry(now: at(5)))
        }
        #expect(plan(state.next(now: at(6))) != nil)
    }

    @Test func `an empty answer is believed longer where what comes is certain to be hinted at`() {
        var state = state()
        _ = state.next(now: at(0))
        state.answered(jobs: 0, isCertain: true, now: at(5))
        #expect(state.next(now: at(5)) == .wait(at(5_005)))
        state.hinted()
        #expect(plan(state.next(now: at(6))) != nil)
    }

    @Test func `after an answer with less than was asked for it rests a moment`() {
        var state = state(4)
        _ = state.next(now: at(0))
        state.answered(jobs: 3, now: at(5))
        start(&state, 0, slots: 3)
        state.hinted()
        #expect(state.next(now: at(5)) == .wait(at(6)))
        #expect(!state.isHungry(now: at(5)))
        #expect(plan(state.next(now: at(6)))?.limit == 1)
        state.answered(jobs: 1, now: at(7))
        state.left(0, wasOverdue: false)
        #expect(plan(state.next(now: at(7)))?.limit == 2, "a full answer says that there may be more")
    }

    @Test func `the more trickles in, the longer it rests, and not for ever`() {
        var state = state(2_000)
        for (found, rest) in [(2, 1), (20, 5), (1_000, 10)] as [(Int, Int64)] {
            #expect(plan(state.next(now: at(0))) != nil)
            state.answered(jobs: found, now: at(0))
            state.hinted()
            #expect(state.next(now: at(0)) == .wait(at(rest)))
            #expect(plan(state.next(now: at(rest))) != nil)
            state = self.state(2_000)
        }
    }

    @Test func `what is claimed ahead is bounded by the size of its args`() {
        var state = state(4)
        start(&state, 0, slots: 4)
        state.measured(0, jobs: 1, total: .microseconds(1))
        state.leased(0, jobs: 1, bytes: 1 << 20)
        state.buffered(0, -1)
        let front = plan(state.next(now: at(0)))
        state.answered(jobs: 1, now: at(0))
        let ahead = plan(state.next(now: at(1)))
        #expect([front, ahead].compactMap { $0 }.first { $0.question == .ahead }?.limit == 32)
    }

    @Test func `slow jobs are never claimed beyond the free slots`() {
        var state = state(4)
        state.measured(0, jobs: 1, total: .seconds(10))
        _ = state.next(now: at(0))
        state.answered(jobs: 3, now: at(0))
        start(&state, 0, slots: 3)
        #expect(plan(state.next(now: at(1)))?.limit == 1)
        state.answered(jobs: 1, now: at(1))
        start(&state, 0, slots: 1)
        #expect(state.next(now: at(1)) == .wait(nil))
        #expect(!state.isHungry(now: at(1)))
        state.left(0, wasOverdue: false)
        #expect(state.isHungry(now: at(1)))
        #expect(plan(state.next(now: at(1)))?.limit == 1)
    }

    @Test func `fast kinds are claimed ahead, a whole lease at a time`() {
        var state = state(4)
        _ = state.next(now: at(0))
        state.answered(jobs: 4, now: at(0))
        start(&state, 0, slots: 4)
        state.measured(0, jobs: 4, total: .microseconds(4))
        #expect(
            plan(state.next(now: at(0)))
                == Plan(question: .ahead, wants: [.init(kind: 0, limit: Limits.leaseJobs)], limit: Limits.leaseJobs))
        state.answered(jobs: 4_096, now: at(1))
        state.buffered(0, 4_096)
        #expect(plan(state.next(now: at(1)))?.question == .ahead, "the next chunk is on its way while this one runs")
        state.answered(jobs: 4_096, now: at(2))
        state.buffered(0, 4_096)
        #expect(state.next(now: at(2)) == .wait(nil))
    }

    @Test func `claiming ahead is bounded by time`() {
        var state = state(4)
        start(&state, 0, slots: 4)
        state.measured(0, jobs: 1, total: .milliseconds(10))
        // 50 ms of four slots.
        let front = plan(state.next(now: at(0)))
        #expect(front?.question == .front)
        state.answered(jobs: 4, now: at(0))
        state.buffered(0, 4)
        #expect(plan(state.next(now: at(0)))?.limit == 16)
    }

    @Test func `nothing is claimed ahead for slots that slow jobs hold`() {
        var state = state(4, [nil, nil])
        state.measured(0, jobs: 1, total: .microseconds(10))
        state.measured(1, jobs: 1, total: .seconds(60))
        start(&state, 1, slots: 4)
        #expect(state.next(now: at(0)) == .wait(nil))
        state.left(1, wasOverdue: false)
        #expect(plan(state.next(now: at(0)))?.limit == 1)
    }

    @Test func `a fast job that lasts too long counts as a slow one`() {
        var state = state(1)
        state.measured(0, jobs: 1, total: .microseconds(10))
        start(&state, 0, slots: 1)
        #expect(state.isHungry(now: at(0)))
        state.overdue(0)
        #expect(!state.isHungry(now: at(0)))
        state.left(0, wasOverdue: true)
        #expect(state.isHungry(now: at(0)))
    }

    @Test func `slow kinds get their turn beside a fast one that never ends`() {
        var state = state(2, [nil, nil])
        state.measured(0, jobs: 1, total: .microseconds(10))
        start(&state, 0, slots: 2)
        state.buffered(0, 1)
        var asked: [Int] = []
        for turn in 0..<4 as Range<Int64> {
            guard let plan = plan(state.next(now: at(2 * turn))) else { continue }
            asked += plan.wants.map(\.kind)
            state.answered(jobs: plan.question == .ahead ? 1 : 0, now: at(2 * turn))
        }
        #expect(asked.contains(1) && asked.contains(0))
    }

    @Test func `jobs stuck behind slots that do not come free go back after a second`() {
        var state = state(1, [nil, nil])
        state.measured(0, jobs: 1, total: .microseconds(10))
        start(&state, 0, slots: 1)
        state.buffered(0, 100)
        #expect(state.stuck(now: at(0)).isEmpty)
        state.overdue(0)
        #expect(state.stuck(now: at(100)).isEmpty)
        #expect(state.stuck(now: at(1_099)).isEmpty)
        #expect(state.stuck(now: at(1_100)) == [0])
        state.buffered(0, -100)
        #expect(state.stuck(now: at(9_000)).isEmpty)
    }

    @Test func `a drain ends after all was quiet, promoted, and looked at once more`() {
        var state = state(drain: true)
        #expect(plan(state.next(now: at(0))) != nil)
        state.answered(jobs: 0, now: at(0))
        #expect(state.next(now: at(0)) == .confirmQuiet)
        state.confirmed(moved: 0)
        #expect(plan(state.next(now: at(1)))?.wants.count == 1)
        state.answered(jobs: 0, now: at(2))
        #expect(state.next(now: at(2)) == .drained)
    }

    @Test func `a drain goes on when promotion, the last look or the store itself says otherwise`() {
        for moved in [nil, 3] as [Int?] {
            var state = state(drain: true)
            _ = state.next(now: at(0))
            state.answered(jobs: 0, now: at(0))
            #expect(state.next(now: at(0)) == .confirmQuiet)
            state.confirmed(moved: moved)
            #expect(plan(state.next(now: at(0))) != nil)
            state.answered(jobs: 0, now: at(0))
            #expect(state.next(now: at(0)) == .confirmQuiet, "quiet is confirmed anew")
            state.confirmed(moved: 0)
            _ = state.next(now: at(0))
            state.answered(jobs: 1, now: at(0))
            start(&state, 0, slots: 1)
            state.left(0, wasOverdue: false)
            #expect(plan(state.next(now: at(0))) != nil)
            state.answered(jobs: 0, now: at(0))
            #expect(state.next(now: at(0)) == .confirmQuiet)
        }
    }

    @Test func `a drain does not end while jobs run or wait here`() {
        var state = state(drain: true)
        _ = state.next(now: at(0))
        state.answered(jobs: 1, now: at(0))
        start(&state, 0, slots: 1)
        _ = state.next(now: at(0))
        state.answered(jobs: 0, now: at(0))
        #expect(state.next(now: at(0)) == .wait(at(1_000)))
        state.left(0, wasOverdue: false)
        #expect(state.isHungry(now: at(1)), "the claimer is told when the last job ends")
        #expect(state.next(now: at(1)) == .confirmQuiet)
    }

    @Test func `a drain does not end while a look for dead workers may still find jobs`() {
        for (jobs, action) in [(0, .drained), (2, nil), (nil, nil)] as [(Int?, IntakeState.Action?)] {
            var state = state(drain: true)
            _ = state.next(now: at(0))
            state.answered(jobs: 0, now: at(0))
            #expect(state.next(now: at(0)) == .confirmQuiet)
            let own = state.beginRecovery()
            let keepers = state.beginRecovery()
            #expect(own && keepers)
            state.endRecovery(jobs: 0)
            state.confirmed(moved: 0)
            #expect(plan(state.next(now: at(0))) != nil)
            state.answered(jobs: 0, now: at(0))
            #expect(state.next(now: at(0)) == .wait(nil), "the other look is still under way")
            state.endRecovery(jobs: jobs)
            if let action {
                #expect(state.next(now: at(0)) == action)
            } else {
                #expect(plan(state.next(now: at(1))) != nil, "what was found is claimed")
            }
        }
    }

    @Test func `jobs recovered while quiet is confirmed are looked for, and quiet is confirmed anew`() {
        var state = state(drain: true)
        _ = state.next(now: at(0))
        state.answered(jobs: 0, now: at(0))
        #expect(state.next(now: at(0)) == .confirmQuiet)
        _ = state.beginRecovery()
        state.endRecovery(jobs: 1)
        state.confirmed(moved: 0)
        #expect(plan(state.next(now: at(1))) != nil)
        state.answered(jobs: 0, now: at(1))
        #expect(state.next(now: at(1)) == .confirmQuiet)
    }

    @Test func `no look for dead workers begins after a drain's end`() {
        var state = state(drain: true)
        _ = state.next(now: at(0))
        state.answered(jobs: 0, now: at(0))
        _ = state.next(now: at(0))
        state.confirmed(moved: 0)
        _ = state.next(now: at(0))
        state.answered(jobs: 0, now: at(0))
        #expect(state.next(now: at(0)) == .drained)
        let begins = state.beginRecovery()
        #expect(!begins)
        #expect(state.next(now: at(9_000)) == .drained)
    }

    @Test func `once stopped it asks nothing`() {
        var state = state()
        state.stop()
        #expect(state.next(now: at(0)) == .stopped)
        #expect(!state.isHungry(now: at(0)))
    }

    /// A store with endless work of kinds from microseconds to minutes, and everything that can happen in any order.
    @Test(arguments: 0..<40 as Range<UInt64>)
    func `whatever happens, slots stay within limits and slow jobs are not hoarded`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let costs: [Duration] = [.microseconds(2), .milliseconds(3), .milliseconds(400), .seconds(60)]
        let concurrency = Int.random(in: 1...12, using: &random)
        let limits = costs.map { _ in Bool.random(using: &random) ? Int.random(in: 1...4, using: &random) : nil }
        var state = state(concurrency, limits)
        var running: [Int] = []
        var buffered = costs.map { _ in 0 }
        for step in 0..<2_000 as Range<Int64> {
            if case .claim(let plan) = state.next(now: at(step)) {
                #expect(plan.limit <= Limits.leaseJobs && plan.wants.allSatisfy { $0.limit > 0 && $0.limit <= plan.limit })
                var given = 0
                for want in plan.wants.shuffled(using: &random) {
                    let jobs = min(Int.random(in: 0...want.limit, using: &random), plan.limit - given)
                    state.buffered(want.kind, jobs)
                    buffered[want.kind] += jobs
                    given += jobs
                }
                state.answered(jobs: given, now: at(step))
            }
            for kind in costs.indices.shuffled(using: &random) {
                let share = state.share(kind)
                guard share > 0, buffered[kind] > 0 else { continue }
                let jobs = min(share, buffered[kind])
                state.took(kind, jobs: jobs)
                buffered[kind] -= jobs
                running.append(kind)
            }
            #expect(running.count <= concurrency)
            for kind in costs.indices { #expect(running.count { $0 == kind } <= limits[kind] ?? concurrency) }
            #expect(buffered[3] <= concurrency && buffered[2] <= concurrency)
            #expect(buffered[0] <= 2 * Limits.leaseJobs)
            if let index = running.indices.randomElement(using: &random), Bool.random(using: &random) {
                let kind = running.remove(at: index)
                state.measured(kind, jobs: 1, total: costs[kind])
                state.left(kind, wasOverdue: false)
            }
            if Int.random(in: 0..<10, using: &random) == 0 { state.hinted() }
        }
    }
}
