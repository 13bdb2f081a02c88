import Foundation
import Testing

/// Holds what the processes said against what is in the database in the end.
struct Verdict {
    private struct Job: Decodable {
        let id: Int64
        let state: String
    }

    let states: [Int64: String]
    let starts: [Int64: Int]

    init(_ site: Site) async throws {
        let listing = try await site.start("jobs", "list", "--limit", "10000000", "--json").end()
        #expect(listing.status == 0, "\(listing.errors)")
        let decoder = JSONDecoder()
        let jobs = try listing.output.split(separator: "\n").map { try decoder.decode(Job.self, from: Data($0.utf8)) }
        states = Dictionary(jobs.map { ($0.id, $0.state) }) { first, _ in
            Issue.record("a job is listed twice")
            return first
        }
        starts = Dictionary(try site.starts().map { ($0, 1) }, uniquingKeysWith: +)
    }

    /// Every acknowledged job is there and done; every job that is there is done; none was run more often than it may.
    func check(acknowledged: [Int64], duplicates bound: Int) {
        #expect(Set(acknowledged).count == acknowledged.count, "an id was handed out twice")
        #expect(acknowledged.filter { states[$0] == nil } == [], "acknowledged and lost")
        #expect(states.filter { $0.value != "completed" } == [:], "not completed")
        #expect(states.keys.filter { starts[$0] == nil } == [], "completed and never run")
        let again = starts.values.reduce(0, +) - states.count
        #expect(again <= bound, "\(again) runs more than jobs")
    }
}
