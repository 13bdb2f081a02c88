import MartletCore
import Testing

@testable import MartletWorker

struct SignalTests {
    @Test func `a raise is seen by who waits, and by one who waits afterwards`() async {
        let signal = Signal()
        signal.raise()
        signal.raise()
        #expect(await signal.wait(atMost: .seconds(60)))
        async let waits = signal.wait(atMost: .seconds(60))
        signal.raise()
        #expect(await waits)
        #expect(await signal.wait(atMost: .milliseconds(1)) == false)
        #expect(await signal.wait(atMost: .zero) == false)
    }

    @Test func `waits that end early leave nothing behind that sleeps on, however many there are`() async {
        let signal = Signal()
        for _ in 0..<1_000 {
            signal.raise()
            #expect(await signal.wait(atMost: .seconds(3_600)))
            let waits = Task { await signal.wait(atMost: .seconds(3_600)) }
            signal.raise()
            #expect(await waits.value)
        }
        #expect(signal.sleepers <= 1)
    }

    @Test func `a wait is not longer for a sleeper that wakes early, or late`() async {
        let signal = Signal()
        let long = Task { await signal.wait(atMost: .seconds(3_600)) }
        while signal.sleepers == 0 { await Task.yield() }
        // The long one's sleeper would wake too late for these.
        for _ in 0..<2 { #expect(await signal.wait(atMost: .milliseconds(20)) == false) }
        #expect(signal.sleepers == 1, "the long one's")
        signal.raise()
        #expect(await long.value)
    }

    @Test func `whoever waits until after a sleeper wakes needs none of its own`() {
        func at(_ seconds: Int64) -> Moment { Moment(nanoseconds: seconds * 1_000_000_000) }
        var sleepers = Sleepers()
        let wanted = [10, 10, 11, 3, 5].map { sleepers.wants(at($0)) }
        #expect(wanted == [true, false, false, true, false])
        sleepers.woke(at(3))
        #expect(sleepers.count == 1)
        let wantedThen = [5, 9].map { sleepers.wants(at($0)) }
        #expect(wantedThen == [true, false])
        sleepers.woke(at(5))
        sleepers.woke(at(10))
        #expect(sleepers.count == 0)
    }
}
