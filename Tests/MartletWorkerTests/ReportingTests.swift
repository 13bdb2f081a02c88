import MartletCore
import MartletStore
import Testing

@testable import MartletWorker

@Suite struct ReportingTests {
    @Test func `what happened is written at once, numbers now and then`() {
        var pace = ReportPace()
        var report = WorkerReport(kinds: ["a": .init(concurrency: 4)], lagMs: 3, memoryBytes: 100)
        #expect(pace.isDue(report, now: at(0)))
        pace.written(report, now: at(0))
        #expect(!pace.isDue(report, now: at(60_000)), "nothing is new")
        report.memoryBytes = 200
        report.lagMs = 9
        #expect(!pace.isDue(report, now: at(9_999)))
        #expect(pace.isDue(report, now: at(10_000)))
        pace.written(report, now: at(10_000))
        report.lagMs = 2_000
        #expect(pace.isDue(report, now: at(10_001)), "a lag that one notices")
        pace.written(report, now: at(10_001))
        report.lagMs = 2_100
        #expect(!pace.isDue(report, now: at(10_002)))
        report.kinds["a"]?.concurrency = 5
        #expect(pace.isDue(report, now: at(10_002)))
        report.kinds["a"]?.concurrency = 4
        report.kinds["a"]?.blocked = .init(job: 1, ms: 500)
        #expect(pace.isDue(report, now: at(10_002)))
        pace.written(report, now: at(10_002))
        report.kinds["a"]?.blocked = .init(job: 1, ms: 1_500)
        #expect(!pace.isDue(report, now: at(10_003)), "the same run, a little later")
        report.lostThreads = .init(threads: 1, of: 4)
        #expect(pace.isDue(report, now: at(10_003)))
    }

    @Test func `a report has the longest lag since the one before, and of all times`() {
        var vitals = Vitals(threads: [.coroutines: 4, .blocking: 2], now: at(0))
        func described() -> WorkerReport {
            var report = WorkerReport()
            vitals.describe(&report, memory: nil)
            return report
        }
        for lag in [20, 700, 40] { vitals.saw(lag: .milliseconds(lag)) }
        #expect(described() == WorkerReport(lagMs: 700, highestLagMs: 700))
        vitals.reported()
        vitals.saw(lag: .milliseconds(5))
        #expect(described() == WorkerReport(lagMs: 5, highestLagMs: 700))
        func pulse(_ now: Moment) -> Vitals.Pulse? { vitals.pulse(now: now) }
        #expect(pulse(at(999)) == nil)
        #expect(pulse(at(1_000)) == Vitals.Pulse(lag: .milliseconds(700)))
        #expect(pulse(at(2_000)) == Vitals.Pulse(lag: .zero))
    }

    @Test func `the most memory is kept where the kernel does not say it`() {
        var vitals = Vitals(threads: [:], now: at(0))
        var report = WorkerReport()
        vitals.describe(&report, memory: (resident: 900, highest: 900))
        vitals.describe(&report, memory: (resident: 100, highest: 100))
        #expect(report.memoryBytes == 100 && report.highestMemoryBytes == 900)
    }

    @Test func `the loss of the last thread is told once, and again after one came back`() {
        var vitals = Vitals(threads: [.coroutines: 4, .blocking: 2], now: at(0))
        func lost(_ count: Int, _ place: HandlerPlace) -> Bool { vitals.lost(count, place) }
        #expect(lost(1, .blocking) == false)
        #expect(lost(2, .blocking) == true)
        #expect(lost(2, .blocking) == false)
        #expect(lost(2, .coroutines) == false)
        #expect(lost(1, .blocking) == false)
        #expect(lost(2, .blocking) == true)
    }

    /// Also where nothing else runs, which is where nobody needs to look for anything else.
    @Test(arguments: [(jobs: 3, threads: 2), (1, 1)])
    func `handlers that were given up and hold every thread are told of, and in the report`(jobs: Int, threads: Int)
        async throws
    {
        let bench = Bench()
        let blocker = Blocker()
        defer { blocker.open() }
        bench.store.add(jobs, "deaf")
        var configuration = WorkerConfiguration.quick
        configuration.blockingThreads = threads
        let handler = Handler(
            kind: "deaf", timeout: .milliseconds(20), unwind: .milliseconds(20), executor: .blocking,
            run: { _ in
                blocker.wait()
                return .completed(result: nil)
            })
        _ = try await bench.run([handler], configuration, stop: .now) { _ in
            try await eventually("it is told") {
                bench.events.contains { if case .threadsLost(.blocking, threads) = $0 { true } else { false } }
            }
            try await eventually("it is reported") {
                bench.reports.last?.lostBlockingThreads == .init(threads: threads, of: threads)
            }
            blocker.open()
            if jobs > threads {
                try await eventually("threads come back, and so does work") {
                    bench.store.settlements.contains { $0.ending == .completed(result: nil) }
                }
            }
            try await eventually("their return is reported, too") {
                bench.reports.last.map { $0.lostBlockingThreads == nil } ?? false
            }
        }
    }

    @Test func `threads for handlers that block are never more than they may be, however long they are held`()
        async throws
    {
        let bench = Bench()
        let blocker = Blocker()
        defer { blocker.open() }
        let running = Counts()
        var configuration = WorkerConfiguration.quick
        configuration.blockingThreads = 2
        let run: @Sendable (HandlerCall) async -> Outcome = { _ in
            running.begin()
            blocker.wait()
            running.end()
            return .completed(result: nil)
        }
        let kinds = ["a", "b"].map { Handler(kind: $0, executor: .blocking, run: run) }
        for kind in kinds { bench.store.add(2, kind.kind) }
        _ = try await bench.run(kinds, configuration) { _ in
            try await eventually("all threads are held, and a look or two has seen that for long enough") {
                running.now == 2 && bench.events.count { if case .pulse = $0 { true } else { false } } >= 2
            }
            blocker.open()
            try await eventually("all ended") { bench.store.settlements.count == 4 }
        }
        #expect(running.most == 2)
    }

    @Test func `a limit found before is the first one, and a database that is away is asked again`() async throws {
        let bench = Bench()
        let before = WorkerReport(kinds: ["a": .init(concurrency: 3, found: 3), "b": .init(concurrency: 4)])
        bench.store.change {
            $0.lastReport = before.json
            $0.outage = StoreError(.unavailable, "away")
        }
        let kinds = ["a", "b"].map { Handler(kind: $0, adapts: true, run: done) }
        _ = try await bench.run(kinds) { _ in
            try await eventually("it is away") {
                bench.events.contains { if case .storeUnavailable = $0 { true } else { false } }
            }
            bench.store.change { $0.outage = nil }
            try await eventually("it registers") { !bench.store.change { $0.registrations }.isEmpty }
        }
        let text = try #require(bench.store.change { $0.registrations }.first?.report)
        let report = try #require(WorkerReport(text))
        #expect(report.kinds["a"]?.concurrency == 3)
        #expect(report.kinds["a"]?.reason == "found before the restart")
        #expect(report.kinds["b"]?.reason == "one per processor to begin with")
    }
}

extension Bench {
    fileprivate var reports: [WorkerReport] { store.change { $0.reports }.compactMap(WorkerReport.init) }
}
