import MartletCore
import MartletTestSupport
import Testing

@testable import MartletWorker

@Suite struct ChildTalkTests {
    private let report = RemoteReport(
        outcome: .completed(result: nil), usage: Usage(processorTime: .seconds(1)), resident: 5, followUps: [])

    /// A talk in which a run has begun, and the run's number. Its frame is not written yet.
    private func running() throws -> (ChildTalk, Int) {
        var talk = ChildTalk()
        _ = talk.greet()
        talk.isReady(for: ["k"])
        let run = talk.prepare()
        let call = HandlerCall(
            id: JobID(rawValue: 7), kind: "k", queue: "q", attempt: 1, maxAttempts: 1, lease: LeaseID(rawValue: 9),
            args: .emptyObject, enqueuedAt: Timestamp(microseconds: 0), timeout: nil, logger: .silent)
        let hasBegun = talk.begin(call, .silent, InputWriter(try Descriptor.pipe().writing, [1, 2, 3]))
        try #require(hasBegun)
        return (talk, run)
    }

    @Test func `a child greets once`() {
        var talk = ChildTalk()
        let (first, second) = (talk.greet(), talk.greet())
        #expect(first && !second)
    }

    @Test func `a run that was cancelled before it began does not begin`() throws {
        var talk = ChildTalk()
        let run = talk.prepare()
        guard case .wake(nil) = talk.cancel(run) else {
            Issue.record("nobody waited, and the child is not to be told")
            return
        }
        #expect(talk.isCancelled && !talk.isRunning)
        let next = talk.prepare()
        #expect(next != run && !talk.isCancelled, "the next one is another")
    }

    @Test func `the child is told of a cancellation, but not in the middle of a frame`() throws {
        var (talk, run) = try running()
        guard case .stop(canBeTold: false) = talk.cancel(run) else {
            Issue.record("the frame is not written yet")
            return
        }
        #expect(talk.goesOn(run), "until the grace is over")
    }

    @Test func `a cancellation of a run that has ended is none`() throws {
        var (talk, run) = try running()
        talk.ended(.done(report))
        guard case .nothing = talk.cancel(run) else {
            Issue.record("it would stop the next run")
            return
        }
        #expect(!talk.isCancelled)
    }

    @Test func `one report ends a run; another, or one of no run, makes no sense`() throws {
        var (talk, run) = try running()
        let (kept, keptAgain) = (talk.keep(report), talk.keep(report))
        #expect(kept == run && keptAgain == nil)
        #expect(!talk.goesOn(run), "no grace kills what has told its end")
        talk.ended(.done(report))
        #expect(talk.jobs == 1 && talk.resident == 5 && talk.processorTime == .seconds(1))
        var idle = ChildTalk()
        let nothing = idle.keep(report)
        #expect(nothing == nil)
    }

    @Test func `what a run told before its child ended still counts`() async throws {
        var (talk, _) = try running()
        _ = talk.keep(report)
        let (closes, closesAgain) = (talk.close(), talk.close())
        #expect(closes && !closesAgain)
        let (end, afterwards) = await (next(&talk), next(&talk))
        guard case .done = end, case .closed = afterwards else {
            Issue.record("\(end), then \(afterwards)")
            return
        }
    }

    @Test func `who waits when the child ends is told`() async throws {
        var (talk, run) = try running()
        let event = await withCheckedContinuation { (waiter: ChildTalk.Waiter) in
            if let event = talk.next(orCancelled: false, waiter) { return waiter.resume(returning: event) }
            let released = talk.release(run + 1)
            #expect(released == nil, "not by another run's report")
            _ = talk.close()
            if let (waiter, event) = talk.lastWord() { waiter.resume(returning: event) }
        }
        guard case .closed = event else {
            Issue.record("\(event)")
            return
        }
    }

    private func next(_ talk: inout ChildTalk) async -> ChildTalk.Event {
        await withCheckedContinuation { waiter in
            if let event = talk.next(orCancelled: false, waiter) { waiter.resume(returning: event) }
        }
    }
}
