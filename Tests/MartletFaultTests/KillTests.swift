import Foundation
import MartletTestSupport
import Testing

/// `kill -9`, again and again, of those who bring work and of those who do it.
@Suite struct KillTests {
    private static let workers = 4
    private static let concurrency = 8

    @Test(.timeLimit(.minutes(30))) func `every acknowledged job ends, whoever is killed`() async throws {
        try await withSite { site in
            let kills = Dose.of(20, full: 100)
            let chunks = Dose.of(30, full: 400)
            async let acknowledged = produce(site, chunks: chunks)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<Self.workers {
                    group.addTask { try await keepKilling(site, seed: UInt64(number), kills: kills / Self.workers) }
                }
                try await group.waitForAll()
            }
            let ids = try await acknowledged
            try await drain(site)
            // Those that saw three of their workers die wait a while; a person can make them go on.
            _ = try await site.start("jobs", "retry", "--state", "retryable", "--yes").end()
            try await drain(site)
            try await Verdict(site).check(acknowledged: ids, duplicates: Self.concurrency * kills)
            #expect(try !site.complaints().contains("database is locked"))
        }
    }

    private func drain(_ site: Site) async throws {
        let drain = try await site.start("worker", "--drain").end()
        #expect(drain.status == 0, "\(drain.errors)")
    }

    /// A worker that lives for a moment, and its successor, and so on.
    private func keepKilling(_ site: Site, seed: UInt64, kills: Int) async throws {
        var random = SplitMix64(seed: seed)
        for _ in 0..<kills {
            let before = try site.starts().count
            let worker = try site.start("worker")
            // Killed at some point of its work, not of its start: after some more jobs have begun.
            let target = before + Int.random(in: 1...40, using: &random)
            try await site.waitForStarts(target, atMost: .seconds(20))
            worker.kill()
            _ = try await worker.end()
        }
    }

    /// - Returns: the ids of all jobs that a producer was told are in.
    private func produce(_ site: Site, chunks: Int) async throws -> [Int64] {
        struct Receipt: Decodable {
            let first_id: Int64
            let last_id: Int64
        }
        var random = SplitMix64(seed: 99)
        var ids: [Int64] = []
        for chunk in 0..<chunks {
            let lines = (0..<50).map { "{\"chunk\": \(chunk), \"line\": \($0)}\n" }.joined()
            let name = "chunk-\(chunk).ndjson"
            try lines.write(to: site.directory.appendingPathComponent(name), atomically: true, encoding: .utf8)
            let producer = try site.start("enqueue", "touch", "--from", name, "--json")
            if Int.random(in: 0..<3, using: &random) == 0 {
                // Somewhere between its start and well after its end.
                try await Task.sleep(for: .milliseconds(Int.random(in: 1...60, using: &random)))
                producer.kill()
            }
            let end = try await producer.end()
            guard end.status == 0 else { continue }
            let receipt = try JSONDecoder().decode(Receipt.self, from: Data(end.output.utf8))
            ids += Array(receipt.first_id...receipt.last_id)
        }
        return ids
    }
}

extension Site {
    /// Waits for the fact that so many handlers have begun; the bound only ends a wait for work that is not there.
    fileprivate func waitForStarts(_ count: Int, atMost limit: Duration) async throws {
        let end = ContinuousClock.now + limit
        while try starts().count < count, ContinuousClock.now < end {
            try await Task.sleep(for: .milliseconds(5))
        }
    }
}
