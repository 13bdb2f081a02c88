import MartletCore
import MartletPostgres
import MartletStore
import MartletTestSupport
import Testing

/// Claimers of one lane take turns; that others have theirs is no reason to say that there is nothing.
@Suite struct BusyLaneTests {
    /// Returns when somebody waits for a lane.
    private func waitForWaiter(_ schema: PostgresSchema) async throws {
        let waiters = """
            select count(*) from pg_locks
            where locktype = 'advisory' and not granted and classid::bigint = lane_locks()::bigint & 4294967295
            """
        while try schema.psql(waiters) == "0" { await Task.yield() }
    }

    private func both(_ worker: WorkerID) -> ClaimRequest {
        ClaimRequest(
            worker: worker, wants: [.init(kind: "work", limit: 10), .init(kind: "other", limit: 10)], limit: 10)
    }

    @Test(.timeLimit(.minutes(3)))
    func `a claim waits for a busy lane where no other has work`() async throws {
        try await withStore { store, schema in
            let worker = try await store.register(.testing("w"))
            let ids = try await store.enqueue(count: 3)
            _ = try await store.enqueue("other")
            _ = try await store.claim(ClaimRequest(worker: worker, wants: [.init(kind: "other", limit: 1)], limit: 1))
            let quicker = try Session(schema)
            try quicker.run("begin; select lease from claim(\(worker.rawValue), '{work}', '{1}', null, 1);")
            async let leases = store.claim(both(worker))
            try await waitForWaiter(schema)
            try quicker.run("commit;")
            #expect(try await leases.flatMap(\.jobs).map(\.id) == Array(ids[1...]))
            try quicker.end()
        }
    }

    @Test(.timeLimit(.minutes(3)))
    func `a claim takes what is free before it waits`() async throws {
        try await withStore { store, schema in
            let worker = try await store.register(.testing("w"))
            _ = try await store.enqueue(count: 3)
            let free = try await store.enqueue("other")
            let quicker = try Session(schema)
            try quicker.run("begin; select lease from claim(\(worker.rawValue), '{work}', '{1}', null, 1);")
            #expect(try await store.claim(both(worker)).flatMap(\.jobs).map(\.id) == free)
            try quicker.end()
        }
    }

    @Test(.timeLimit(.minutes(3)))
    func `a claim that waited for a lane that was emptied meanwhile waits for the next one`() async throws {
        try await withStore { store, schema in
            let worker = try await store.register(.testing("w"))
            let ids = try await store.enqueue([
                NewJob(kind: "other", priority: Priority(rawValue: 1)!), NewJob(kind: "work"), NewJob(kind: "work"),
            ])
            let (first, second) = (try Session(schema), try Session(schema))
            try first.run("begin; select lease from claim(\(worker.rawValue), '{other}', '{1}', null, 1);")
            try second.run("begin; select lease from claim(\(worker.rawValue), '{work}', '{1}', null, 1);")
            async let leases = store.claim(both(worker))
            try await waitForWaiter(schema)
            try first.run("commit;")
            try await waitForWaiter(schema)
            try second.run("commit;")
            #expect(try await leases.flatMap(\.jobs).map(\.id) == [ids[2]])
            for session in [first, second] { try session.end() }
        }
    }
}
