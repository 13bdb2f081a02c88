import Foundation
import MartletTestSupport
import Testing

/// A job that kills its worker, in a crowd of jobs that only wait.
@Suite(.serialized) struct SuspectTests {
    private static let concurrency = 100
    private static let crowd = 90

    /// How many jobs run at a time that saw one worker die.
    private static var group: Int {
        Int((Double(concurrency) * Double(ProcessInfo.processInfo.activeProcessorCount)).squareRoot().rounded(.up))
    }

    @Test(.timeLimit(.minutes(10)), arguments: FaultProgramSite.Engine.allCases)
    func `two workers die of a job, the third time it is alone, and few others were suspected as gravely`(
        engine: FaultProgramSite.Engine
    ) async throws {
        try await FaultProgramSite.with(engine) { site in
            site.environment["FAULT_EXECUTOR"] = "coroutine"
            site.environment["SWIFT_BACKTRACE"] = "enable=no"
            site.environment["STAY"] = "1"
            try await site.run(["crowd", "\(Self.crowd)"])
            let deaths = try await workUntilAllHaveEnded(site)
            #expect(deaths == 2)
            var grave = 0
            for job in try await site.jobs() {
                let detail = try await site.detail(job.id)
                if job.kind == "trapping" {
                    #expect(job.state == "failed" && detail.reason == "crashed" && detail.crashes == 3)
                } else {
                    #expect(job.state == "completed" && job.attempt == 1, "\(job)")
                    #expect((1...2).contains(detail.crashes), "all were there the first time")
                    if detail.crashes == 2 { grave += 1 }
                }
            }
            #expect(grave < 2 * Self.group, "those that ran beside it the second time, and as many that were next")
        }
    }

    /// - Returns: how many workers died.
    private func workUntilAllHaveEnded(_ site: FaultProgramSite) async throws -> Int {
        var deaths = 0
        while true {
            let worker = try site.start(["work", "\(Self.concurrency)"])
            while worker.isRunning {
                if try await site.jobs().allSatisfy({ ["completed", "failed"].contains($0.state) }) { worker.terminate() }
                try await Task.sleep(for: .milliseconds(100))
            }
            let end = try await worker.end()
            if end.status == 0 { return deaths }
            deaths += 1
            try #require(deaths < 5, "the worker dies again and again: \(end.errors.suffix(2_000))")
        }
    }
}
