import MartletCore
import MartletStore
import Testing

@testable import MartletWorker

@Suite struct SlotStateTests {
    private let handler = Handler(
        kind: "k0", timeout: .seconds(10), retry: RetryPolicy(jitter: 0), unwind: .seconds(5), run: done)

    private func running(_ chunk: Chunk = chunk()) -> SlotState {
        var slot = SlotState(work(chunk))
        #expect(slot.begin(now: at(100), handler: handler) == 0)
        return slot
    }

    private func end(_ slot: inout SlotState, _ outcome: Outcome, at moment: Moment = at(250)) -> (Ending?, SlotState.Next) {
        slot.end(RunReport(outcome), now: moment, handler: handler, random: { 0.5 })
    }

    @Test func `jobs run one after another, each settled with its times`() {
        var slot = running()
        #expect(end(&slot, .completed(result: nil)) == (.completed(result: nil), .goOn))
        #expect(slot.begin(now: at(250), handler: handler) == 1)
        _ = end(&slot, .retry(boom), at: at(300))
        let ended = slot.takeEnded()
        #expect(ended.map(\.index) == [0, 1])
        #expect(ended.map(\.waited) == [.milliseconds(100), .milliseconds(250)])
        #expect(ended.map(\.ran) == [.milliseconds(150), .milliseconds(50)])
        #expect(ended.map(\.ending) == [.completed(result: nil), .retryable(boom, after: .seconds(2))])
        #expect(slot.takeEnded().isEmpty)
    }

    @Test func `the job's own number of attempts comes before the handler's`() {
        var slot = running(chunk(maxAttempts: 3, attempt: 3))
        #expect(end(&slot, .retry(boom)) == (.failed(boom, .exhausted), .goOn))
        #expect(slot.takeEnded().first?.maxAttempts == 3)
    }

    @Test func `the job's own timeout comes before the handler's`() {
        let slot = running(chunk(timeout: .seconds(1)))
        #expect(!slot.isOverdue(now: at(1_099)))
        #expect(slot.isOverdue(now: at(1_100)))
        #expect(!running().isOverdue(now: at(10_099)))
        #expect(running().isOverdue(now: at(10_100)))
    }

    @Test func `a run that timed out is tried again, whatever it returns, and says what it knew`() {
        for outcome in [.completed(result: nil), .retry(boom), .discard(boom), .interrupted] as [Outcome] {
            var slot = running()
            #expect(slot.stop(.timedOut, now: at(10_100)) == true)
            let (ending, next) = end(&slot, outcome)
            let error = JobError(type: "timeout", message: "timed out after 10s")
            #expect(ending == .retryable(error, after: .seconds(2)))
            #expect(next == .leave)
        }
        var slot = running()
        _ = slot.stop(.timedOut, now: at(10_100))
        let (ending, _) = end(&slot, .retry(JobError(type: "signal", message: "killed", detail: "last words")))
        #expect(
            ending
                == .retryable(
                    JobError(type: "timeout", message: "timed out after 10s", detail: "last words"), after: .seconds(2)))
    }

    @Test func `a run that a person stopped is cancelled, unless it was done`() {
        for outcome in [.retry(boom), .discard(boom), .interrupted, .snooze(.seconds(1)), .cancelled] as [Outcome] {
            var slot = running()
            #expect(slot.stop(.cancelled, now: at(200)) == true)
            #expect(end(&slot, outcome) == (.cancelled, .leave))
        }
        var slot = running()
        _ = slot.stop(.cancelled, now: at(200))
        #expect(end(&slot, .completed(result: nil)) == (.completed(result: nil), .leave))
    }

    @Test func `a run that the shutdown stopped is given back, unless it came to an end of its own`() {
        for outcome in [.retry(boom), .interrupted, .cancelled] as [Outcome] {
            var slot = running()
            #expect(slot.stop(.interrupted, now: at(200)) == true)
            #expect(end(&slot, outcome) == (.givenBack, .leave))
        }
        let own: [(Outcome, Ending)] = [
            (.completed(result: nil), .completed(result: nil)), (.discard(boom), .failed(boom, .discarded)),
            (.snooze(.seconds(1)), .snoozed(.seconds(1))),
        ]
        for (outcome, ending) in own {
            var slot = running()
            _ = slot.stop(.interrupted, now: at(200))
            #expect(end(&slot, outcome) == (ending, .leave))
        }
    }

    @Test func `nothing is settled under a lost lease, even if the job had been told to stop before`() {
        for earlier in [nil, .timedOut, .cancelled, .interrupted] as [SlotState.Stop?] {
            var slot = running()
            if let earlier { #expect(slot.stop(earlier, now: at(200)) == true) }
            #expect(slot.stop(.lost, now: at(210)) == (earlier == nil), "its task is cancelled once")
            #expect(end(&slot, .completed(result: nil)) == (nil, .leave))
            #expect(slot.takeEnded().isEmpty)
        }
    }

    @Test func `the first reason to stop stands`() {
        var slot = running()
        #expect(slot.stop(.cancelled, now: at(200)) == true)
        #expect(slot.stop(.timedOut, now: at(201)) == false)
        #expect(slot.stop(.interrupted, now: at(202)) == false)
        #expect(end(&slot, .interrupted) == (.cancelled, .leave))
    }

    @Test func `a handler that does not end is written off after its time, and ignored afterwards`() {
        var slot = running()
        #expect(slot.writeOff(now: at(60_000), handler: handler, random: { 0 }) == nil)
        _ = slot.stop(.timedOut, now: at(10_100))
        #expect(slot.writeOff(now: at(15_099), handler: handler, random: { 0 }) == nil)
        #expect(slot.writeOff(now: at(15_100), handler: handler, random: { 0 }) == 0)
        #expect(slot.writeOff(now: at(99_000), handler: handler, random: { 0 }) == nil)
        let error = JobError(type: "timeout", message: "timed out after 10s")
        #expect(slot.takeEnded().map(\.ending) == [.retryable(error, after: .seconds(2))])
        #expect(end(&slot, .completed(result: nil)) == (nil, .vanish))
        #expect(slot.takeEnded().isEmpty)
    }

    @Test func `a handler that is written off under a lost lease settles nothing`() {
        var slot = running()
        _ = slot.stop(.lost, now: at(200))
        #expect(slot.writeOff(now: at(5_200), handler: handler, random: { 0 }) == 0)
        #expect(slot.takeEnded().isEmpty)
    }

    @Test func `jobs behind a long one can be taken away while it runs`() {
        var slot = running()
        #expect(slot.release().range == 1..<3)
        #expect(slot.release().count == 0)
        _ = end(&slot, .completed(result: nil))
        #expect(slot.begin(now: at(300), handler: handler) == nil)
        slot.receive(work(chunk(2)))
        #expect(slot.begin(now: at(300), handler: handler) == 0)
    }

    @Test func `endings behind a long job are handed over when they have waited`() {
        var slot = running()
        _ = end(&slot, .completed(result: nil), at: at(200))
        _ = slot.begin(now: at(200), handler: handler)
        #expect(slot.takeEnded(olderThan: .milliseconds(5), now: at(204)).isEmpty)
        #expect(slot.takeEnded(olderThan: .milliseconds(5), now: at(205)).map(\.index) == [0])
        #expect(slot.takeEnded(olderThan: .milliseconds(5), now: at(900)).isEmpty)
    }

    @Test func `between two jobs there is nothing to stop`() {
        var slot = SlotState(work(chunk()))
        for reason in [.timedOut, .cancelled, .interrupted, .lost] as [SlotState.Stop] {
            #expect(slot.stop(reason, now: at(1)) == false)
        }
        #expect(slot.phase == .between)
    }

    @Test func `a job whose time is over is not begun, and fails saying how late it was`() throws {
        var slot = SlotState(work(chunk(expiresIn: .milliseconds(100))))
        #expect(slot.begin(now: at(99), handler: handler) == 0)
        #expect(slot.takeExpired().isEmpty)
        #expect(end(&slot, .completed(result: nil), at: at(2_600)).1 == .goOn, "what has begun goes on")
        #expect(slot.begin(now: at(2_600), handler: handler) == nil)
        let message = "expired 3 s before a worker came to it; it was not run"
        let ending = Ending.failed(JobError(type: "expired", message: message), .expired)
        #expect(slot.takeExpired() == [1, 2].map { SlotState.Expired(index: $0, ending: ending) })
        #expect(slot.takeExpired().isEmpty)
        let ended = slot.takeEnded()
        #expect(ended.map(\.index) == [0, 1, 2])
        #expect(ended[1].ending == ending && ended[1].ran == .zero && ended[1].waited == .milliseconds(2_600))
    }

    @Test func `a job that had expired at the claim says since when`() {
        var slot = SlotState(work(chunk(jobs: 1, expiresIn: .seconds(-60))))
        #expect(slot.begin(now: at(0), handler: handler) == nil)
        #expect(slot.takeEnded().map(\.ending) == [.expired(late: .seconds(60))])
    }

    @Test func `a third crash fails the job, and none is charged to one that was told to stop`() {
        var slot = running(chunk(crashes: 2))
        #expect(end(&slot, .crashed(boom)) == (.failed(boom, .crashed), .goOn))
        for (stop, ending) in [(.cancelled, .cancelled), (.interrupted, .givenBack)] as [(SlotState.Stop, Ending)] {
            var slot = running(chunk(crashes: 2))
            _ = slot.stop(stop, now: at(200))
            #expect(end(&slot, .crashed(boom)) == (ending, .leave))
        }
    }

    @Test func `follow-ups go with the run's own completion, and with nothing else`() throws {
        let jobs = [try NewJob(kind: "next")]
        func followUps(_ outcome: Outcome, _ stop: SlotState.Stop? = nil) -> [NewJob]? {
            var slot = running()
            if let stop { _ = slot.stop(stop, now: at(200)) }
            _ = slot.end(RunReport(outcome, followUps: jobs), now: at(250), handler: handler, random: { 0.5 })
            return slot.takeEnded().first?.followUps
        }
        #expect(followUps(.completed(result: nil)) == jobs)
        #expect(followUps(.completed(result: nil), .cancelled) == jobs)
        #expect(followUps(.completed(result: nil), .interrupted) == jobs)
        #expect(followUps(.completed(result: nil), .timedOut) == [])
        #expect(followUps(.completed(result: nil), .lost) == nil)
        for outcome in [.retry(boom), .snooze(.zero), .discard(boom), .crashed(boom), .interrupted] as [Outcome] {
            #expect(followUps(outcome) == [])
        }
    }
}
