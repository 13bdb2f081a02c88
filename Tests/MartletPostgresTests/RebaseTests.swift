import Foundation
import MartletCore
import MartletPostgres
import MartletStore
import MartletTestSupport
import Testing

/// A dump that was restored in another cluster, whose transaction ids are others.
@Suite struct RebaseTests {
    enum Target: CaseIterable {
        /// Its transaction ids are far behind those in the dump.
        case younger
        case older
        /// Behind at first, then ahead: the ids alone would not tell.
        case caughtUp
    }

    @Test(.timeLimit(.minutes(5)), arguments: Target.allCases)
    func `a restored queue waits for its rebase, then runs what is pending once and nothing else`(_ target: Target)
        async throws
    {
        let source = try PostgresServer()
        try source.age(by: 5_000)
        let past = try await Past(source)
        let place = try PostgresServer()
        if target == .older { try place.age(by: 20_000) }
        try place.psql(try source.dump())
        if target == .caughtUp { try place.age(by: 20_000) }

        let options = PostgresOptions(url: place.url())
        let store = try await PostgresStore.open(options)
        try await expectRefusals(store, past)
        #expect(try await states(store) == past.states)
        #expect(
            try await PostgresStore.rebasePreview(options)
                == RebaseReply(needed: true, available: past.waiting.count, running: past.running.count))
        #expect(
            try await PostgresStore.rebase(options)
                == RebaseReply(needed: true, available: past.waiting.count, running: past.running.count))
        #expect(try await PostgresStore.rebase(options) == RebaseReply(needed: false, available: 0, running: 0))
        #expect(try await store.diagnose().filter { $0.level == .problem } == [])

        // Everybody is where they were, but for those who ran.
        #expect(try await states(store) == past.states.mapValues { $0 == .running ? .available : $0 })
        let completed = try #require(try await store.job(past.withResult))
        #expect(completed.result?.string == "7" && completed.summary.worker == "past")
        #expect(try await store.failures(limit: 9).map(\.count) == [1])

        let worker = try await store.register(.testing("w"))
        let new = try await store.enqueue(count: 3)
        #expect(try await drain(store, worker) == past.running + past.waiting + new)
        #expect(try await store.retry(.ids([past.delayed])).changed == 1)
        let last = try await store.enqueue()
        #expect(try await drain(store, worker) == [past.delayed] + last)
        #expect(try await store.diagnose().filter { $0.level == .problem } == [])
        #expect(
            try await store.stats().counts[.completed] == past.states.values.count { $0 == .completed } + past.pending + 5)
        await store.close()
    }

    @Test(.timeLimit(.minutes(5)))
    func `a cluster too young to have given out as many ids as there are leases is made older`() async throws {
        let source = try PostgresServer()
        let options = PostgresOptions(url: source.url())
        _ = try await PostgresStore.migrate(options)
        let store = try await PostgresStore.open(options)
        let worker = try await store.register(.testing("w"))
        _ = try await store.enqueue(count: 2_010)
        try source.psql(
            """
            do $$ begin for i in 1..2000 loop
              perform martlet.claim(\(worker.rawValue), '{work}', '{1}', null, 1);
              commit;
            end loop; end $$
            """)
        await store.close()

        let place = try PostgresServer()
        try place.psql("begin;\n" + (try source.dump(["--inserts"])) + "\ncommit;")
        let there = PostgresOptions(url: place.url())
        #expect(try await PostgresStore.rebase(there) == RebaseReply(needed: true, available: 10, running: 2_000))
        let restored = try await PostgresStore.open(there)
        #expect(try await restored.diagnose().filter { $0.level == .problem } == [])
        #expect(try await restored.stats().counts[.available] == 2_010)
        await restored.close()
    }

    @Test(.timeLimit(.minutes(5)))
    func `copies of a cluster's files are at home`() async throws {
        let server = try PostgresServer()
        let past = try await Past(server)
        func findings(_ database: String = "postgres") async throws -> [Finding] {
            let store = try await PostgresStore.open(PostgresOptions(url: server.url(database: database)))
            let findings = try await store.diagnose().filter { $0.check == "cluster" }
            await store.close()
            return findings
        }
        let fine = [Finding("cluster", .ok, "the cursors belong to this cluster")]
        #expect(try await findings() == fine)
        try server.psql("vacuum (full, freeze) martlet.origin; vacuum (full, freeze);")
        #expect(try await findings() == fine)
        try server.psql("create database copy template postgres", database: "template1")
        #expect(try await findings("copy") == fine)
        try server.upgrade()
        #expect(try await findings() == fine)

        let store = try await PostgresStore.open(PostgresOptions(url: server.url()))
        let worker = try await store.register(.testing("w"))
        #expect(try await drain(store, worker).sorted() == past.waiting.sorted())
        await store.close()
    }

    private func expectRefusals(_ store: PostgresStore, _ past: Past) async throws {
        let refused: (any Error) -> Bool = { error in
            (error as? StoreError)?.code == .incompatible && "\(error)".contains("run martlet repair rebase")
        }
        await #expect(performing: { _ = try await store.enqueue() }, throws: refused)
        await #expect(performing: { _ = try await store.register(.testing("w")) }, throws: refused)
        // A worker whose connection outlived the restoring.
        await #expect(performing: { _ = try await store.claim(.testing(past.worker)) }, throws: refused)
        await #expect(performing: { _ = try await store.retry(.ids([past.delayed])) }, throws: refused)
        let problems = try await store.diagnose().filter { $0.level == .problem }
        #expect(problems.map(\.check) == ["cluster"])
        #expect(problems.first?.message.contains("run martlet repair rebase") == true)
    }

    /// Claims and completes until nothing is left.
    private func drain(_ store: PostgresStore, _ worker: WorkerID) async throws -> [JobID] {
        var seen: [JobID] = []
        while true {
            let leases = try await store.claim(.testing(worker, limit: 4))
            if leases.isEmpty { return seen }
            for lease in leases {
                seen += lease.jobs.map(\.id)
                _ = try await store.settle(lease.jobs.indices.map { .testing(lease.id, $0, .completed(result: nil)) })
            }
        }
    }
}

private func states(_ store: PostgresStore) async throws -> [JobID: JobState] {
    let jobs = try await store.list(JobQuery(limit: 1_000)).jobs
    // As the list has it, so must the job itself.
    for job in jobs { #expect(try await store.job(job.id)?.summary.state == job.state) }
    return Dictionary(uniqueKeysWithValues: jobs.map { ($0.id, $0.state) })
}

/// A queue with jobs in every state, in a schema `martlet` of the database `postgres`.
private struct Past {
    let worker: WorkerID
    var states: [JobID: JobState] = [:]
    /// In the order in which they are to run.
    let running: [JobID]
    let waiting: [JobID]
    let withResult: JobID
    let delayed: JobID

    var pending: Int { running.count + waiting.count }

    init(_ server: PostgresServer) async throws {
        let options = PostgresOptions(url: server.url())
        _ = try await PostgresStore.migrate(options)
        let store = try await PostgresStore.open(options)
        worker = try await store.register(.testing("past"))
        let ids = try await store.enqueue(count: 20)
        _ = try await store.enqueue([NewJob(kind: "work", start: .after(.seconds(3_600)))])
        let early = try Session(server)
        let late = JobID(rawValue: try #require(Int64(try early.run("begin; select martlet.enqueue('work');"))))
        let after = try await store.enqueue(count: 2)

        let first = try await store.claim(.testing(worker, limit: 8))[0]
        withResult = ids[0]
        delayed = ids[2]
        _ = try await store.settle([
            .testing(first.id, 0, .completed(result: JSONText(validating: "7"))),
            .testing(first.id, 1, .failed(.boom, .exhausted)),
            .testing(first.id, 2, .retryable(.boom, after: .seconds(3_600))),
            .testing(first.id, 3, .completed(result: nil)), .testing(first.id, 5, .completed(result: nil)),
        ])
        let second = try await store.claim(.testing(worker, limit: 4))[0]
        running = [4, 6, 7].map { first.jobs[$0].id } + second.jobs.map(\.id)
        #expect(try await store.cancel(.ids([ids[15]])).changed == 1)
        // Behind the cursor, and seen by it only in its next round.
        try early.run("commit;")
        try early.end()
        waiting = [12, 13, 14, 16, 17, 18, 19].map { ids[$0] } + [late] + after
        states = try await MartletPostgresTests.states(store)
        await store.close()
    }
}
