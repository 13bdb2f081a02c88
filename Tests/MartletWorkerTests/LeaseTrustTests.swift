import Testing

@testable import MartletWorker

@Suite struct LeaseTrustTests {
    @Test func `trust ends a sixth of the lease before the lease does`() {
        let trust = LeaseTrust(lease: .seconds(30), renewedAt: at(0))
        #expect(trust.holds(now: at(24_999)))
        #expect(!trust.holds(now: at(25_000)))
    }

    @Test func `a renewal counts from when it was begun`() {
        var trust = LeaseTrust(lease: .seconds(30), renewedAt: at(0))
        trust.renew(startedAt: at(10_000))
        #expect(trust.holds(now: at(34_999)))
        #expect(!trust.holds(now: at(35_000)))
    }

    @Test func `a renewal that took longer than a newer one takes nothing away`() {
        var trust = LeaseTrust(lease: .seconds(30), renewedAt: at(0))
        trust.renew(startedAt: at(10_000))
        trust.renew(startedAt: at(5_000))
        #expect(trust.holds(now: at(34_999)))
    }
}
