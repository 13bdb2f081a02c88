import Foundation
import MartletCore
import MartletStore
import Testing

@testable import MartletApp

@Suite struct BenchReportTests {
    private func report(_ results: BenchResults, runs: Int = 3) throws -> BenchReport {
        var plan = BenchPlan()
        plan.runs = runs
        return BenchReport(
            plan: plan, name: try #require(BenchName("martlet-bench-a1")),
            at: Timestamp(microseconds: 1_700_000_000_000_000),
            machine: Machine(processor: "a chip", processors: 2, memory: 8 << 30, kernel: "Linux 6"),
            database: "postgres://db.example/jobs",
            conditions: StoreConditions(
                engine: "PostgreSQL 15.8", settings: [.init("fsync", "on")], freed: "which is free again"),
            roundTrip: Figures([0.25]),
            before: BenchSurroundings(workers: 3, available: 12_000, running: 4, bytes: 1 << 20, benches: [], alive: []),
            results: results, removed: 1_234, bytesAfter: 5 << 20)
    }

    private func text(_ report: BenchReport) -> String { report.text(on: Outlet(terminal: nil) { _ in }) }

    @Test func `the text has what a reader of it has to know`() throws {
        var results = BenchResults()
        for rate in [90_000.4, 80_000, 85_000] { results.add(rate, to: .drained) }
        let text = text(try report(results))
        #expect(
            text == """
                martlet   \(Version.current), 2023-11-14T22:13:20.000Z
                machine   2 × a chip, 8 GiB, Linux 6
                database  postgres://db.example/jobs
                engine    PostgreSQL 15.8; a round trip takes 0.25 ms
                settings  fsync on
                besides   3 other workers alive, 12 000 jobs waiting, 4 running
                runs      3, of which medians

                CASE   WHAT                                MEDIAN  LEAST TO MOST
                drain  50 000 jobs that do nothing  85 000 jobs/s  80 000 jobs/s to 90 000 jobs/s

                1 234 jobs of martlet-bench-a1 removed; the queue takes 4 MiB more of the disk, which is free again

                """, "\(text)")
    }

    @Test func `runs that lie far apart are told of, the slowest job of all is not`() throws {
        var results = BenchResults()
        for time in [1.0, 90] { results.add(time, to: .slowest) }
        #expect(!text(try report(results)).contains("far apart"))
        for rate in [100.0, 160] { results.add(rate, to: .bulk) }
        #expect(text(try report(results)).contains("Some runs lie far apart"))
    }

    @Test func `a drain so brief that it says little of long ones is told of`() throws {
        var results = BenchResults()
        for _ in 1...3 { results.add(200_000, to: .drained) }
        #expect(text(try report(results)).contains("A drain took 250ms"))
        results = BenchResults()
        for _ in 1...3 { results.add(50_000, to: .drained) }
        #expect(!text(try report(results)).contains("A drain took"))
    }

    @Test func `JSON has only what was measured, every run of it`() throws {
        var results = BenchResults()
        results.add(
            started: try #require(Figures((1...100).map(Double.init))), acknowledged: try #require(Figures([0.5, 0.75, 2])))
        let object =
            try JSONSerialization.jsonObject(with: Data(try JSONWriter(bench: report(results, runs: 1)).bytes))
            as? [String: Any]
        let all = try #require(object?["results"] as? [String: [String: [String: Any]]])
        #expect(Array(all.keys) == ["latency"])
        let medians = try #require(all["latency"]).mapValues { $0["median"] as? Double }
        #expect(medians == ["acknowledged_p50": 0.75, "p50": 50, "p90": 90, "p99": 99, "max": 100])
        #expect(object?["at"] as? String == "2023-11-14T22:13:20.000Z")
        #expect((object?["database"] as? [String: Any])?["round_trip_ms"] as? Double == 0.25)
        #expect((object?["options"] as? [String: Any])?["in_flight"] as? Int == 10_000)
        #expect(object?["bytes_after"] as? Int == 5 << 20)
    }

    @Test func `every figure has a key of its own within its case`() {
        let keys = BenchMetric.allCases.map { "\($0.of.key).\($0.key)" }
        #expect(Set(keys).count == keys.count)
        #expect(Set(BenchMetric.allCases.map(\.of)) == Set(BenchCase.allCases))
    }

    @Test(arguments: [
        (BenchMetric.drained, 253_411.5, "253 412 jobs/s"), (.processorTime, 3.96, "4.0 µs/job"), (.p50, 0.005, "0.01 ms"),
        (.p99, 12, "12.00 ms"), (.memory, 36_700_160, "35 MiB"), (.memoryPerJob, 812, "812 B"),
    ])
    func `figures read as people write them`(_ metric: BenchMetric, _ value: Double, _ text: String) {
        #expect(metric.text(value) == text)
    }
}

@Suite struct BenchPlanTests {
    @Test func `what is chosen is done in one order, each once`() throws {
        #expect(try BenchPlan.cases("in-flight,drain,drain", field: "--only") == [.drain, .inFlight])
    }

    @Test func `what a person agrees to is the most there can be`() {
        var plan = BenchPlan()
        plan.jobs = 1_000
        plan.inFlight = 300
        plan.seconds = 2
        plan.runs = 3
        #expect(plan.mostJobs == 3 * (1_000 + 1_000 + 300 + 200))
        #expect(plan.mostAtATime == 1_000)
        plan.cases = [.inFlight]
        #expect(plan.mostJobs == 900)
        #expect(plan.mostAtATime == 300)
        plan.cases = [.drain, .latency]
        #expect(plan.mostJobs == 3 * (1_000 + 200))
    }
}

@Suite struct BenchNumberTests {
    @Test(arguments: [
        (0, "0"), (2, "2"), (0.5, "0.5"), (1.2345, "1.235"), (-0.25, "-0.25"), (1_234_567.0004, "1234567"), (0.05, "0.05"),
    ])
    func `numbers are plain JSON`(_ value: Double, _ text: String) {
        var json = JSONWriter()
        json.number("n", value)
        json.numbers("all", [value, value])
        #expect(String(decoding: json.bytes, as: UTF8.self) == "{\"n\":\(text),\"all\":[\(text),\(text)]}")
    }

    @Test func `what is not known is null`() {
        var json = JSONWriter()
        json.number("n", nil)
        #expect(String(decoding: json.bytes, as: UTF8.self) == "{\"n\":null}")
    }
}
