import MartletCore
import MartletStore
import MartletWorker
import Testing

@Suite struct WorkerTests {
    @Test func `every job is settled as completed, and the drained worker ends`() async throws {
        let bench = Bench()
        let ids = bench.store.add(10_000, "noop")
        let tally = try await bench.drain([Handler(kind: "noop", run: done)])
        #expect(tally.completed == 10_000)
        #expect(Set(bench.store.endings.keys) == Set(ids))
        #expect(bench.store.settlements.count == 10_000)
        #expect(bench.store.change { $0.deregistered } == bench.store.change { $0.registered })
    }
}
