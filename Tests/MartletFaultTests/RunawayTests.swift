import Foundation
import Glibc
import MartletTestSupport
import Testing

/// Commands that leave processes where nobody looks for them, and commands that take all the memory there is.
@Suite struct RunawayTests {
    /// A process in a session of its own, whose parent is gone, and which does not heed SIGTERM; the command waits.
    private static let config = """
        concurrency: 8
        lease: 10s
        kinds:
          runaway:
            command:
              - sh
              - -c
              - |
                setsid sh -c 'setsid sh -c "trap : TERM HUP; echo \\$\\$ >> pids; sleep 600; sleep 600" & exit 0'
                sleep 600
            retry: { max: 1 }
          hog:
            command: [awk, 'BEGIN { while (1) a[i++] = sprintf("%0200d", i) }']
            limits: { memory: 64MiB }
            retry: { max: 1 }

        """

    private func with(_ body: (Site) async throws -> Void) async throws {
        try await withSite { site in
            try Self.config.write(
                to: site.directory.appendingPathComponent("runaway.yaml"), atomically: true, encoding: .utf8)
            try await body(site)
        }
    }

    private func pids(_ site: Site) throws -> [pid_t] {
        let file = site.directory.appendingPathComponent("pids")
        guard FileManager.default.fileExists(atPath: file.path) else { return [] }
        return try String(contentsOf: file, encoding: .utf8).split(separator: "\n").compactMap { pid_t($0) }
    }

    private func isAlive(_ pid: pid_t) -> Bool {
        // A zombie is dead, though its number is still taken.
        guard let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8) else { return false }
        return !stat.drop { $0 != ")" }.dropFirst(2).hasPrefix("Z")
    }

    private func eventually(_ what: Comment, _ fact: () throws -> Bool) async throws {
        let end = ContinuousClock.now + .seconds(60)
        while try !fact() {
            try #require(ContinuousClock.now < end, what)
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    private func enqueue(_ site: Site, _ kind: String, _ count: Int) async throws {
        let lines = String(repeating: "{}\n", count: count)
        try lines.write(to: site.directory.appendingPathComponent("jobs"), atomically: true, encoding: .utf8)
        let end = try await site.start("enqueue", kind, "--from", "jobs").end()
        try #require(end.status == 0, "\(end.errors)")
    }

    @Test(.timeLimit(.minutes(10))) func `nothing that a cancelled command started goes on`() async throws {
        try await with { site in
            let rounds = Dose.of(2, full: 13)
            let worker = try site.start("worker", "--config", "runaway.yaml")
            for round in 1...rounds {
                try await enqueue(site, "runaway", 8)
                try await eventually("eight of them run") { try pids(site).count == 8 * round }
                let cancel = try await site.start("jobs", "cancel", "--kind", "runaway", "--state", "running", "--yes").end()
                try #require(cancel.status == 0, "\(cancel.errors)")
                try await eventually("all are dead") { try pids(site).allSatisfy { !isAlive($0) } }
            }
            worker.terminate()
            #expect(try await worker.end().status == 0)
        }
    }

    @Test(.timeLimit(.minutes(10))) func `nothing that a command started outlives a worker that is killed`() async throws {
        try await with { site in
            for _ in 0..<Dose.of(2, full: 10) {
                try await enqueue(site, "runaway", 8)
                let worker = try site.start("worker", "--config", "runaway.yaml")
                try await eventually("some of them run") { try pids(site).contains { isAlive($0) } }
                worker.kill()
                _ = try await worker.end()
                try await eventually("all are dead") { try pids(site).allSatisfy { !isAlive($0) } }
            }
        }
    }

    @Test(.timeLimit(.minutes(10))) func `a command that takes all the memory is killed, and its error says so`()
        async throws
    {
        struct Job: Decodable {
            struct Failure: Decodable { let message: String }
            let state: String
            let error: Failure?
        }
        try await with { site in
            let count = Dose.of(6, full: 50)
            try await enqueue(site, "hog", count)
            let worker = try await site.start("worker", "--config", "runaway.yaml", "--drain", "--concurrency", "2").end()
            #expect(worker.status == 0, "\(worker.errors.suffix(1_000))")
            let listing = try await site.start("jobs", "list", "--limit", "1000", "--json").end()
            let jobs = try listing.output.split(separator: "\n").map {
                try JSONDecoder().decode(Job.self, from: Data($0.utf8))
            }
            #expect(jobs.count == count)
            for job in jobs {
                #expect(job.state == "failed" && job.error?.message == "killed by signal 9 (out of memory)")
            }
        }
    }
}
