import MartletCore
import MartletPostgres
import MartletStore
import MartletTestSupport
import Testing

@Suite struct StandbyTests {
    /// The pauses between attempts are longer by now than a call waits.
    private func insist<T>(_ call: () async throws -> T) async throws -> T {
        while true {
            do {
                return try await call()
            } catch let error as StoreError {
                guard error.isTransient else { throw error }
            }
        }
    }

    @Test(.timeLimit(.minutes(3)))
    func `a standby shows everything and takes nothing, until it is promoted`() async throws {
        let primary = try PostgresServer()
        _ = try await PostgresStore.migrate(PostgresOptions(url: primary.url()))
        let standby = try primary.makeStandby()
        let writer = try await PostgresStore.open(PostgresOptions(url: primary.url()))
        let worker = try await writer.register(.testing("w"))
        let id = try await writer.enqueue()[0]
        let lease = try await writer.claim(.testing(worker))[0]
        let waiting = try await writer.enqueue()[0]
        await writer.close()

        var options = PostgresOptions(url: standby.url())
        // Each write waits so long for a server that takes it, and a busy machine has to ask one in less.
        options.within = .seconds(3)
        let store = try await PostgresStore.open(options)
        while try await store.stats().counts[.available] != 1 {}
        #expect(try await store.job(id)?.summary.state == .running)
        #expect(try await store.list(JobQuery()).jobs.count == 2)
        #expect(try await store.diagnose().contains { $0.level == .problem && $0.message.contains("standby") })

        let ending = Settlement.testing(lease.id, 0, .completed(result: nil))
        let writes: [(String, () async throws -> Void)] = [
            ("enqueue", { _ = try await store.enqueue() }),
            ("claim", { _ = try await store.claim(.testing(worker)) }),
            ("settle", { _ = try await store.settle([ending]) }),
            ("register", { _ = try await store.register(.testing("x")) }),
            ("cancel", { _ = try await store.cancel(.ids([waiting])) }),
        ]
        for (name, write) in writes {
            let error = try await #require(throws: StoreError.self, "\(name)") { try await write() }
            #expect(error.isTransient, "\(name): \(error)")
            #expect(error.message.contains("target_session_attrs=read-write"), "\(name): \(error)")
        }

        try primary.stop(.immediate)
        try standby.promote()
        let reply = try await insist { try await store.settle([ending]) }
        #expect(reply.lost == [])
        let next = try await store.enqueue()[0]
        #expect(try await store.claimed(worker) == [waiting, next])
        await store.close()
    }

    @Test(.timeLimit(.minutes(2)))
    func `a standby that the URL names first is left for the host that takes writes`() async throws {
        let primary = try PostgresServer()
        _ = try await PostgresStore.migrate(PostgresOptions(url: primary.url()))
        let standby = try primary.makeStandby()
        let url = "postgres://postgres@127.0.0.1:\(standby.port),127.0.0.1:\(primary.port)/postgres"
        let store = try await PostgresStore.open(PostgresOptions(url: url))
        let id = try await store.enqueue()[0]
        let worker = try await store.register(.testing("w"))
        #expect(try await store.claimed(worker) == [id])
        await store.close()
    }
}
