import Foundation
import MartletTestSupport
import Testing

/// Workers that take more memory than they may.
@Suite(.serialized) struct MemoryTests {
    private struct Job: Decodable {
        let state: String
        let attempt: Int
    }

    @Test(.timeLimit(.minutes(10))) func `a program whose jobs leak ends in good order, again and again, and loses nothing`()
        async throws
    {
        try await withSite { site in
            let jobs = Dose.of(120, full: 400)
            var environment = ProcessInfo.processInfo.environment
            let path = site.directory.appendingPathComponent("jobs.db").path
            environment["DATABASE"] = path
            environment["MARTLET_DATABASE_URL"] = "sqlite:\(path)"
            environment["MAX_MEMORY"] = "300"
            let enqueued = try await site.start(program: "FaultProgram", environment: environment, ["hoard", "\(jobs)"])
                .end()
            try #require(enqueued.status == 0, "\(enqueued.errors)")
            var ends = 0
            while true {
                let end = try await site.start(program: "FaultProgram", environment: environment, ["work", "4"]).end()
                if end.status == 0 { break }
                try #require(end.status == 75, "\(end.errors.suffix(2_000))")
                #expect(end.errors.contains("more than the 300 MiB allowed"))
                ends += 1
                try #require(ends <= jobs, "it never gets done")
            }
            #expect(ends > 0)
            let listed = try await site.start(
                program: "martlet", environment: environment, ["jobs", "list", "--limit", "1000000", "--json"]
            ).end()
            let all = try listed.output.split(separator: "\n").map {
                try JSONDecoder().decode(Job.self, from: Data($0.utf8))
            }
            #expect(all.count == jobs)
            #expect(all.allSatisfy { $0.state == "completed" && $0.attempt == 1 }, "nothing lost, and nothing charged")
        }
    }

    @Test(.timeLimit(.minutes(5))) func `the daemon starts itself again in the same process, and goes on`() async throws {
        try await withSite { site in
            // Less than the program itself takes: reached after its first jobs, each time.
            let file = site.directory.appendingPathComponent("martlet.yaml")
            let settings = try String(contentsOf: file, encoding: .utf8)
            try ("max_memory: 16MiB\n" + settings).write(to: file, atomically: true, encoding: .utf8)
            // Both before the worker: Foundation takes its first new beginning for an end, waits for that, and sees no other
            // process end meanwhile. The second job is for the second life.
            for arguments in [["{}"], ["{}", "--in", "8s"]] {
                let end = try await site.start(
                    program: "martlet", environment: ProcessInfo.processInfo.environment, ["enqueue", "touch"] + arguments
                ).end()
                try #require(end.status == 0, "\(end.errors)")
            }
            let worker = try site.start("worker")
            while try site.starts().count < 2 || site.restarts() < 2 { try await Task.sleep(for: .milliseconds(20)) }
            worker.terminate()
            let end = try await worker.end()
            // Between its two lives the signal ends it as it does any program.
            #expect(end.status == 0 || end.status == nil, "\(end.errors)")
            #expect(try Set(site.starts()).count == 2 && site.starts().count == 2)
        }
    }
}

extension Site {
    fileprivate func restarts() throws -> Int {
        try complaints().components(separatedBy: "more memory than max_memory").count - 1
    }
}
