import MartletCore
import Testing

@testable import MartletWorker

@Suite struct MemoryGuardTests {
    @Test func `a peak that passes is no reason to start again`() {
        var state = MemoryGuard(limit: 100)
        #expect(state.check(resident: 101, hasWorked: true, now: at(0)) == nil)
        #expect(state.check(resident: 101, hasWorked: true, now: at(2_000)) == nil)
        #expect(state.check(resident: 100, hasWorked: true, now: at(3_000)) == nil)
        #expect(state.check(resident: 101, hasWorked: true, now: at(4_000)) == nil)
        #expect(state.check(resident: 102, hasWorked: true, now: at(7_000)) == MemoryExceeded(resident: 102, limit: 100))
    }

    @Test func `a worker that has not worked would gain nothing by starting again`() {
        var state = MemoryGuard(limit: 100)
        #expect(state.check(resident: 200, hasWorked: false, now: at(0)) == nil)
        #expect(state.check(resident: 200, hasWorked: false, now: at(9_000)) == nil)
        #expect(state.check(resident: 200, hasWorked: true, now: at(9_001)) != nil)
    }

    @Test func `the kernel's files are read as they are written`() {
        #expect(MachineGauge.resident("1000 25 7 1 0 3 0\n", page: 4_096) == 25 * 4_096)
        #expect(MachineGauge.resident("", page: 4_096) == nil)
        #expect(MachineGauge.highest("Name:\tx\nVmHWM:\t    2012 kB\nVmRSS:\t 7 kB\n") == 2_012 * 1_024)
        #expect(MachineGauge.highest("Name:\tx\n") == nil)
        let memory = MachineGauge.memory("MemTotal:  2000 kB\nMemFree: 10 kB\nMemAvailable:  500 kB\n")
        #expect(memory?.available == 512_000 && memory?.total == 2_048_000)
        let ticks = MachineGauge.processorTicks("cpu  10 1 5 80 4 0 0 0 0 0\ncpu0 1 1 1 1\n")
        #expect(ticks?.busy == 16 && ticks?.all == 100)
    }
}
