import Testing

@testable import MartletWorker

@Suite struct AlarmsTests {
    @Test func `alarms go off in the order of their times, each once`() {
        var alarms = Alarms()
        for (slot, time) in [(1, 30), (2, 10), (3, 20)] { alarms.set(slot, at: at(Int64(time))) }
        #expect(alarms.popDue(now: at(5)) == nil)
        #expect(alarms.popDue(now: at(20)) == 2)
        #expect(alarms.popDue(now: at(20)) == 3)
        #expect(alarms.popDue(now: at(20)) == nil)
        #expect(alarms.popDue(now: at(30)) == 1)
        #expect(alarms.popDue(now: at(99)) == nil)
    }

    @Test func `only a slot's last alarm counts, and none that was removed`() {
        var alarms = Alarms()
        alarms.set(1, at: at(10))
        alarms.set(1, at: at(50))
        alarms.set(2, at: at(10))
        alarms.remove(2)
        #expect(alarms.popDue(now: at(49)) == nil)
        #expect(alarms.popDue(now: at(50)) == 1)
    }

    @Test func `what is left of many that were dropped still comes in order`() {
        var random = SeededRandom(seed: 7)
        var alarms = Alarms()
        var expected: [Int: Moment] = [:]
        for _ in 0..<20_000 {
            let slot = Int(random.next() % 500)
            if random.next() % 3 == 0 {
                alarms.remove(slot)
                expected[slot] = nil
            } else {
                let moment = at(Int64(random.next() % 1_000_000))
                alarms.set(slot, at: moment)
                expected[slot] = moment
            }
        }
        var last = at(0)
        while let slot = alarms.popDue(now: at(2_000_000)) {
            let moment = expected.removeValue(forKey: slot)
            #expect(moment.map { $0 >= last } == true)
            last = moment ?? last
        }
        #expect(expected.isEmpty)
    }
}
