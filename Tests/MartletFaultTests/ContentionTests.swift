import Foundation
import Testing

/// Many processes on one file.
@Suite struct ContentionTests {
    @Test(.timeLimit(.minutes(30))) func `eight processes enqueue while four drain, and nobody is told to wait`()
        async throws
    {
        try await withSite { site in
            let end = ContinuousClock.now + Dose.of(.seconds(5), full: .seconds(60))
            let workers = try (0..<4).map { _ in try site.start("worker") }
            let ids = try await withThrowingTaskGroup(of: [Int64].self) { group in
                for number in 0..<8 { group.addTask { try await enqueue(site, number, until: end) } }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            for worker in workers { worker.terminate() }
            for worker in workers {
                let ended = try await worker.end()
                #expect(ended.status == 0, "\(ended.errors)")
            }
            let drain = try await site.start("worker", "--drain").end()
            #expect(drain.status == 0, "\(drain.errors)")
            #expect(ids.count > 50)
            // No worker died, and each had its grace: nothing may have run twice.
            try await Verdict(site).check(acknowledged: ids, duplicates: 0)
            let complaints = try site.complaints()
            #expect(!complaints.contains("database is locked"))
            #expect(!complaints.contains("unavailable"))
        }
    }

    private func enqueue(_ site: Site, _ number: Int, until end: ContinuousClock.Instant) async throws -> [Int64] {
        var ids: [Int64] = []
        while ContinuousClock.now < end {
            let producer = try await site.start("enqueue", "touch", "{\"producer\": \(number), \"n\": \(ids.count)}").end()
            #expect(producer.status == 0, "\(producer.errors)")
            if let id = Int64(producer.output.trimmingCharacters(in: .whitespacesAndNewlines)) { ids.append(id) }
        }
        return ids
    }
}
