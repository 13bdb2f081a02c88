import Testing

@testable import MartletWorker

@Suite struct CostTests {
    @Test func `what was never measured is not fast and comes one at a time`() {
        let cost = Cost()
        #expect(!cost.isFast)
        #expect(cost.helping == 1)
        #expect(cost.jobs(within: .seconds(60), slots: 100) == 0)
    }

    @Test func `short jobs come many at a time, up to a bound`() {
        var cost = Cost()
        cost.measure(jobs: 100, total: .microseconds(100))
        #expect(cost.helping == 200)
        cost.measure(jobs: 100, total: .zero)
        cost = Cost()
        cost.measure(jobs: 1, total: .zero)
        #expect(cost.helping == Cost.largestHelping)
    }

    @Test func `a kind that turned slow is believed at once`() {
        var cost = Cost()
        for _ in 0..<1_000 { cost.measure(jobs: 256, total: .microseconds(256)) }
        cost.measure(jobs: 1, total: .seconds(1))
        #expect(!cost.isFast)
        #expect(cost.helping == 1)
    }

    @Test func `a kind that turned fast becomes so after some jobs`() {
        var cost = Cost()
        cost.measure(jobs: 1, total: .seconds(1))
        var jobs = 0
        while !cost.isFast, jobs < 100 {
            cost.measure(jobs: 1, total: .microseconds(1))
            jobs += 1
        }
        #expect(jobs > 1 && jobs < 20)
    }
}
