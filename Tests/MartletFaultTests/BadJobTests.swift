import Foundation
import Glibc
import MartletTestSupport
import Testing

/// Jobs that throw, trap, run for ever and allocate without end, among good ones, in a program that embeds a worker.
@Suite(.serialized) struct BadJobTests {
    /// 425 good ones of 500, 75 that throw, 25 of each other kind, in full.
    private static let counts: [(kind: String, count: Int)] = [
        ("good", Dose.of(70, full: 350)), ("throwing", Dose.of(15, full: 75)), ("trapping", Dose.of(5, full: 25)),
        ("hanging", Dose.of(5, full: 25)), ("leaking", Dose.of(5, full: 25)),
    ]

    @Test(.timeLimit(.minutes(20)), arguments: FaultProgramSite.Engine.allCases)
    func `in processes of their own, bad jobs hurt nobody, and no daemon ends`(engine: FaultProgramSite.Engine) async throws
    {
        try await FaultProgramSite.with(engine) { site in
            site.environment["FAULT_EXECUTOR"] = "process"
            try await site.run(["enqueue"] + Self.counts.map { "\($0.count)" })
            let worker = try await site.start(["work", "16"]).end()
            #expect(worker.status == 0, "\(worker.errors.suffix(2_000))")
            let jobs = try await site.jobs()
            #expect(jobs.count == Self.counts.map(\.count).reduce(0, +))
            checkGood(jobs)
            for job in jobs where job.kind == "trapping" {
                #expect(
                    job.state == "failed" && job.error?.type == "signal"
                        && job.error?.message.contains("trap number") == true)
            }
            for job in jobs where job.kind == "leaking" {
                #expect(job.state == "failed" && job.error?.type == "signal")
                #expect(job.error?.message.contains("out of memory") == true, "\(job.error?.message ?? "no error")")
            }
        }
    }

    @Test(.timeLimit(.minutes(20)), arguments: FaultProgramSite.Engine.allCases)
    func `as coroutines, those that kill their worker are found out and end alone`(engine: FaultProgramSite.Engine)
        async throws
    {
        try await FaultProgramSite.with(engine) { site in
            site.environment["FAULT_EXECUTOR"] = "coroutine"
            // A backtrace of a large program takes seconds each.
            site.environment["SWIFT_BACKTRACE"] = "enable=no"
            try await site.run(["enqueue"] + Self.counts.map { "\($0.count)" })
            var deaths = 0
            while true {
                let worker = try await site.start(["work", "8"], dataLimit: 512 << 20).end()
                guard worker.status != 0 else {
                    // A drain does not wait for what others run, and of another machine nobody knows that it is dead
                    // until its lease has ended.
                    if try await site.jobs().allSatisfy({ ["completed", "failed"].contains($0.state) }) {
                        break
                    }
                    continue
                }
                deaths += 1
                try #require(deaths <= 50 * 3, "the worker dies again and again: \(worker.errors.suffix(2_000))")
            }
            #expect(deaths > 0)
            let jobs = try await site.jobs()
            #expect(jobs.count == Self.counts.map(\.count).reduce(0, +))
            checkGood(jobs)
            for job in jobs where ["trapping", "leaking"].contains(job.kind) {
                #expect(job.state == "failed")
                let detail = try await site.detail(job.id)
                #expect(detail.reason == "crashed" && detail.crashes >= 1, "\(job.kind): \(detail)")
            }
        }
    }

    private func checkGood(_ jobs: [FaultProgramSite.Job]) {
        for job in jobs where job.kind == "good" { #expect(job.state == "completed" && job.attempt == 1, "\(job)") }
        for job in jobs where job.kind == "throwing" {
            #expect(job.state == "failed" && job.error?.type == "Refusal" && job.attempt == 1, "\(job)")
        }
        for job in jobs where job.kind == "hanging" {
            #expect(job.state == "failed" && job.error?.type == "timeout" && job.attempt == 1, "\(job)")
        }
    }
}
