import Testing

@testable import MartletWorker

@Suite struct BackoffTests {
    @Test func `it doubles up to its bound, half of it fixed`() {
        var low = Backoff()
        var high = Backoff()
        for ceiling in [50, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000] as [Int64] {
            #expect(low.next(random: 0) == .milliseconds(ceiling) * 0.5)
            #expect(high.next(random: 0.5) == .milliseconds(ceiling) * 0.75)
        }
    }

    @Test func `it never grows past the bound, however long the outage`() {
        var backoff = Backoff()
        for _ in 0..<10_000 { #expect(backoff.next(random: 0.999) <= .seconds(5)) }
    }

    @Test func `after a success it begins anew`() {
        var backoff = Backoff()
        for _ in 0..<5 { _ = backoff.next(random: 0) }
        backoff.reset()
        #expect(backoff.next(random: 0) == .milliseconds(25))
    }
}
