import MartletCore
import MartletStore
import Testing

@testable import MartletApp

@Suite struct RepairTests {
    let session: Session

    init() throws { session = try Session() }

    private func fail(_ count: Int, kind: String = "k", message: String = "no luck") async throws {
        try await session.withStore { store in
            _ = try await store.enqueue(try (0..<count).map { _ throws(InvalidInput) in try NewJob(kind: kind) })
        }
        try await session.work(kind) { _ in .failed(JobError(type: "exit", message: message), .exhausted) }
    }

    @Test func `what can be done is done, the rest is named by id`() async throws {
        try await fail(1)
        try await session.enqueue(try NewJob(kind: "k"))
        let result = try await session.run("jobs", "retry", "1", "2", "99", "1", "--json")
        #expect(result.status == 4)
        #expect(
            result.output
                == #"{"repair":"retry","dry_run":false,"changed":1,"requested":0,"refused":[{"id":2,"state":"available"}],"missing":[99]}"#
                + "\n")
        #expect(result.errors.contains("job 2 is available: "))
        #expect(result.errors.contains("job 99 not found"))
        #expect(try await session.counts()[.available] == 2)
    }

    @Test func `a missing job alone is status 3`() async throws {
        try await fail(1)
        let result = try await session.run("jobs", "discard", "1", "99")
        #expect(result.status == 3)
        #expect(result.output == "discarded 1 job\n")
        #expect(try await session.run("jobs", "show", "1").status == 3)
    }

    @Test func `a job that has ended cannot be cancelled`() async throws {
        try await fail(1)
        let result = try await session.run("jobs", "cancel", "1")
        #expect(result.status == 4)
        #expect(result.errors.contains("job 1 is failed: it has ended"))
        #expect(try await session.counts()[.failed] == 1)
    }

    @Test func `a dry run says how many and changes nothing`() async throws {
        try await fail(3)
        let result = try await session.run("jobs", "retry", "--state", "failed", "--dry-run")
        #expect(result.status == 0)
        #expect(result.output == "would retry 3 jobs; nothing changed\n")
        #expect(try await session.counts()[.failed] == 3)
    }

    @Test func `many at once need a yes where nobody can be asked`() async throws {
        try await fail(3)
        let unasked = try await session.run("jobs", "retry", "--state", "failed")
        #expect(unasked.status == 4)
        #expect(unasked.errors.contains("3 jobs to retry"))
        #expect(unasked.errors.contains("nothing changed: add --yes to retry 3 jobs"))
        #expect(try await session.counts()[.failed] == 3)
        let sure = try await session.run("jobs", "retry", "--state", "failed", "--yes")
        #expect(sure.status == 0)
        #expect(sure.output == "retried 3 jobs\n")
        #expect(try await session.counts()[.available] == 3)
    }

    @Test(arguments: [("n", 4), ("", 4), ("y", 0), ("YES", 0)])
    func `a person is asked, and anything but yes is no`(answer: String, status: Int32) async throws {
        try await fail(2)
        let result = try await session.run(["jobs", "discard", "--state", "failed"], answer: answer, width: 80)
        #expect(result.status == status)
        #expect(result.errors.contains("discard 2 jobs? [y/N] "))
        #expect(try await session.counts()[.failed] == (status == 0 ? 0 : 2))
    }

    @Test func `a group of failures is retried by the command that failed prints`() async throws {
        try await fail(2, message: "no file 17")
        try await fail(1, message: "out of memory")
        try await fail(1, kind: "other", message: "no file 18")
        let groups = try await session.run("failed", "--json")
        let first = try #require(groups.lines.first)
        #expect(
            JSONKeyOrder.keys(of: first) == [
                "kind", "fingerprint", "type", "message", "count", "first_seen", "last_seen", "example", "retry",
            ])
        let group = try #require(try groups.objects().first { $0["count"] as? Int == 2 })
        let retry = try #require(group["retry"] as? String)
        #expect(try await session.run("failed").output.contains(retry))
        let words = retry.split(separator: " ").map(String.init)
        #expect(words.first == "martlet")
        let result = try await session.run(Array(words.dropFirst()))
        #expect(result.status == 0)
        #expect(result.output == "retried 2 jobs\n")
        #expect(try await session.counts()[.failed] == 2)
    }

    @Test func `nothing to do is done`() async throws {
        try await session.enqueue(try NewJob(kind: "k"))
        let result = try await session.run("jobs", "retry", "--state", "failed", "--yes")
        #expect(result.status == 0)
        #expect(result.output == "retried 0 jobs\n")
    }

    @Test func `states that a repair does not take are refused before anything is touched`() async throws {
        try await session.enqueue(try NewJob(kind: "k"))
        let result = try await session.run("jobs", "discard", "--state", "available", "--yes")
        #expect(result.status == 4)
        #expect(result.errors.contains("discard takes cancelled, failed jobs, not available ones"))
        #expect(try await session.counts()[.available] == 1)
    }

    @Test func `a running job that was asked to stop says so`() async throws {
        try await session.enqueue(try NewJob(kind: "long"), try NewJob(kind: "long"))
        try await session.withStore { store in
            let worker = try await store.register(.example(kinds: ["long"]))
            _ = try await store.claim(
                ClaimRequest(worker: worker, wants: [.init(kind: "long", limit: 2)], limit: 2))
            #expect(try await session.run("jobs", "cancel", "1").output.contains("asked 1 job to stop"))
            let list = try await session.run("jobs", "list").lines
            #expect(list.count { $0.contains("running (cancel requested)") } == 1)
            #expect(try await session.run("jobs", "show", "1").output.hasPrefix("job 1  running (cancel requested)\n"))
            #expect(try await session.run("jobs", "show", "2").output.hasPrefix("job 2  running\n"))
            let flags = try await session.run("jobs", "list", "--json").objects().map { $0["cancel_requested"] as? Bool }
            #expect(flags == [false, true])
            let shown = try await session.run("jobs", "show", "1", "--json").objects()
            #expect(shown.first?["cancel_requested"] as? Bool == true)
        }
    }

    @Test func `a repair of many shows how far it is, to a person`() async throws {
        let count = Limits.repairPiece + 1
        _ = try await session.withStore { store in
            try await store.enqueue(Array(repeating: try NewJob(kind: "k"), count: count))
        }
        let seen = try await session.run("jobs", "cancel", "--state", "available", "--yes", width: 80)
        #expect(
            seen.errors.contains("\(Counted.grouped(Limits.repairPiece)) of \(Counted.grouped(count)) jobs"),
            "\(seen.errors)")
        let piped = try await session.run("jobs", "retry", "--state", "cancelled", "--yes")
        #expect(!piped.errors.contains("\u{1B}"))
        #expect(piped.output == "retried \(Counted.jobs(count))\n")
    }

    @Test func `a rebase is nothing on SQLite, and needs a database`() async throws {
        #expect(try await session.run("repair", "rebase").status == 5)
        try await session.enqueue(try NewJob(kind: "k"))
        let result = try await session.run("repair", "rebase")
        #expect(result.status == 0)
        #expect(result.output.contains("nothing to do"))
        #expect(
            try await session.run("repair", "rebase", "--json").output
                == #"{"repair":"rebase","needed":false,"available":0,"running":0}"# + "\n")
    }
}
