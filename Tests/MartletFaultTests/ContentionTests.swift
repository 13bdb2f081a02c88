import Foundation
import Testing

/// Many processes on one file.
@Suite struct ContentionTests {
    @Test(.timeLimit(.minutes(30))) func `eight processes enqueue while four drain, and nobody is told to wait`()
        async throws
    {
        try await withSite { site in
            let each = Dose.of(15, full: 500)
            let workers = try (0..<4).map { _ in try site.start("worker") }
            let ids = try await withThrowingTaskGroup(of: [Int64].self) { group in
                for number in 0..<8 { group.addTask { try await enqueue(site, number, jobs: each) } }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            for worker in workers { worker.terminate() }
            for worker in workers {
                let ended = try await worker.end()
                #expect(ended.status == 0, "\(ended.errors)")
            }
            let drain = try await site.start("worker", "--drain").end()
            #expect(drain.status == 0, "\(drain.errors)")
            #expect(ids.count == 8 * each)
            // No worker died, and each had its grace: nothing may have run twice.
            try await Verdict(site).check(acknowledged: ids, duplicates: 0)
            let complaints = try site.complaints()
            #expect(!complaints.contains("database is locked"))
            #expect(!complaints.contains("unavailable"))
        }
    }

    private func enqueue(_ site: Site, _ producer: Int, jobs: Int) async throws -> [Int64] {
        var ids: [Int64] = []
        for number in 0..<jobs {
            let ended = try await site.start("enqueue", "touch", "{\"producer\": \(producer), \"n\": \(number)}").end()
            #expect(ended.status == 0, "\(ended.errors)")
            if let id = Int64(ended.output.trimmingCharacters(in: .whitespacesAndNewlines)) { ids.append(id) }
        }
        return ids
    }
}
