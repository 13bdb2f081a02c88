import MartletCore
import Testing

struct EndingTests {
    private let error = JobError(type: "exit", message: "exit status 3")
    private let retry = RetryPolicy(backoff: .exponential(base: .seconds(2), cap: .seconds(60)), jitter: 0)

    private func ending(_ outcome: Outcome, attempt: Int = 1, crashes: Int = 0) -> Ending {
        Ending(outcome, attempt: attempt, maxAttempts: 3, crashes: crashes, retry: retry, random: 0.5)
    }

    @Test func `a completed run completes the job, with its result`() {
        #expect(ending(.completed(result: nil)) == .completed(result: nil))
        #expect(ending(.completed(result: .emptyObject), attempt: 9) == .completed(result: .emptyObject))
    }

    @Test func `a failed attempt is due again by the policy`() {
        #expect(ending(.retry(error)) == .retryable(error, after: .seconds(2)))
        #expect(ending(.retry(error), attempt: 2) == .retryable(error, after: .seconds(4)))
    }

    @Test func `the third crash ends the job, whatever attempts are left, and the first two leave them`() {
        #expect(ending(.crashed(error)) == .crashed(error, after: .seconds(2)))
        #expect(ending(.crashed(error), attempt: 3, crashes: 1) == .crashed(error, after: .seconds(4)))
        #expect(ending(.crashed(error), crashes: 2) == .failed(error, .crashed))
        #expect(ending(.crashed(error), crashes: 7) == .failed(error, .crashed))
        #expect(ending(.retry(error), crashes: 2) == .retryable(error, after: .seconds(2)), "only a crash counts as one")
    }

    @Test func `what is charged is either an attempt or a crash`() {
        let charges: [(Ending, attempts: Int, crashes: Int)] = [
            (.retryable(error, after: .zero), 1, 0), (.failed(error, .exhausted), 1, 0), (.failed(error, .discarded), 1, 0),
            (.crashed(error, after: .zero), 0, 1), (.failed(error, .crashed), 0, 1), (.failed(error, .expired), 0, 0),
            (.snoozed(.zero), 0, 0), (.givenBack, 0, 0),
        ]
        for (ending, attempts, crashes) in charges { #expect(ending.charge == (attempts, crashes)) }
    }

    @Test func `a handler may say when`() {
        #expect(ending(.retry(error, after: .zero)) == .retryable(error, after: .zero))
        #expect(ending(.retry(error, after: .seconds(7)), attempt: 2) == .retryable(error, after: .seconds(7)))
    }

    @Test(arguments: [.seconds(Int64.max / 2), .seconds(Int64.max) * 9, Limits.scheduleAhead + .seconds(1)] as [Duration])
    func `a delay beyond what can be scheduled is cut`(asked: Duration) {
        #expect(ending(.snooze(asked)) == .snoozed(Limits.scheduleAhead))
        #expect(ending(.retry(error, after: asked)) == .retryable(error, after: Limits.scheduleAhead))
        let slow = RetryPolicy.delays([asked], jitter: 1)
        let ending = Ending(.retry(error), attempt: 1, maxAttempts: 3, retry: slow, random: 0.9)
        #expect(ending == .retryable(error, after: Limits.scheduleAhead))
    }

    @Test(arguments: [.seconds(-1), .seconds(Int64.min) * 9] as [Duration])
    func `a negative delay is none`(asked: Duration) {
        #expect(ending(.snooze(asked)) == .snoozed(.zero))
        #expect(ending(.retry(error, after: asked)) == .retryable(error, after: .zero))
    }

    @Test func `the last attempt fails the job, whatever the handler asked for`() {
        #expect(ending(.retry(error), attempt: 3) == .failed(error, .exhausted))
        #expect(ending(.retry(error, after: .zero), attempt: 4) == .failed(error, .exhausted))
    }

    @Test(arguments: [1, 3, 4])
    func `everything else does not depend on the attempt`(attempt: Int) {
        #expect(ending(.snooze(.seconds(5)), attempt: attempt) == .snoozed(.seconds(5)))
        #expect(ending(.discard(error), attempt: attempt) == .failed(error, .discarded))
        #expect(ending(.cancelled, attempt: attempt) == .cancelled)
        #expect(ending(.interrupted, attempt: attempt) == .givenBack)
    }
}
