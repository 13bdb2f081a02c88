import MartletCore
import MartletStore
import MartletWorker
import MetricsTestKit
import Testing

@testable import Martlet

struct WorkerMetricsTests {
    struct Fetch: Job {
        static let kind = "fetch"
        static let retry = RetryPolicy(maxAttempts: 1)
        let fails: Bool

        func run(_ context: JobContext) async throws { if fails { throw Discard("gone") } }
    }

    @Test func `a worker's jobs are counted and measured by kind and fate`() async throws {
        try await withClient { client in
            let backend = TestMetrics()
            var configuration = Worker.Configuration.draining
            configuration.observers = [WorkerMetrics(factory: backend)]
            try await client.enqueue(contentsOf: [Fetch(fails: false), Fetch(fails: true), Fetch(fails: false)])
            try await Worker(client, jobs: [Fetch.self], configuration: configuration, logger: .silent).run()
            #expect(try backend.expectCounter("martlet_jobs_started_total", [("kind", "fetch")]).totalValue == 3)
            for (fate, count) in [("completed", 2), ("failed", 1)] {
                let counter = try backend.expectCounter(
                    "martlet_jobs_ended_total", [("kind", "fetch"), ("fate", fate)])
                #expect(counter.totalValue == count)
            }
            #expect(try backend.expectRecorder("martlet_job_seconds", [("kind", "fetch")]).values.count == 3)
        }
    }

    @Test func `what stands in runs' way is exported`() throws {
        let backend = TestMetrics()
        let metrics = WorkerMetrics(factory: backend)
        let id = JobID(rawValue: 7)
        metrics.observe(.blocked(kind: "rude", id: id, held: .seconds(2), moves: true))
        metrics.observe(.blocked(kind: "rude", id: id, held: .seconds(3), moves: false))
        metrics.observe(.adapted(kind: "rude", concurrency: 12, reason: "why not"))
        metrics.observe(.adapted(kind: "rude", concurrency: 9, reason: "slower"))
        metrics.observe(.pulse(lag: .milliseconds(1_500), memory: 1 << 20))
        metrics.observe(.threadsLost(.blocking, threads: 64))
        metrics.observe(.abandoned(kind: "rude", id: id, lease: LeaseID(rawValue: 1)))
        #expect(try backend.expectCounter("martlet_blocked_total", [("kind", "rude")]).totalValue == 2)
        #expect(try backend.expectGauge("martlet_concurrency", [("kind", "rude")]).lastValue == 9)
        #expect(try backend.expectGauge("martlet_lag_seconds").lastValue == 1.5)
        #expect(try backend.expectGauge("martlet_resident_bytes").lastValue == Double(1 << 20))
        #expect(try backend.expectCounter("martlet_threads_lost_total", [("threads", "blocking")]).totalValue == 1)
        #expect(
            try backend.expectCounter("martlet_jobs_ended_total", [("kind", "rude"), ("fate", "given_up")]).totalValue == 1)
    }
}
