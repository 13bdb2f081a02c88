import MartletCore
import MartletStore
import MartletTestSupport
import Testing

@Suite struct FencingTests {
    @Test(arguments: Engine.allCases)
    func `a second settlement of the same job changes nothing`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let id = try await fixture.enqueue(count: 2)[0]
            let lease = try await fixture.claim(try await fixture.worker())[0]
            try await fixture.settle(lease, 0, .completed(result: nil))
            let reply = try await fixture.settle(lease, 0, .failed(.boom, .exhausted))
            #expect(reply == SettleReply(lost: [], repeated: 1))
            #expect(try await fixture.state(id) == .completed)
            #expect(try await fixture.store.job(id)?.errors == [])
        }
    }

    @Test(arguments: Engine.allCases)
    func `the same job twice in one call is settled once`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let id = try await fixture.enqueue()[0]
            let lease = try await fixture.claim(try await fixture.worker())[0]
            let settlement = Settlement.testing(lease.id, 0, .retryable(.boom, after: .zero))
            _ = try await fixture.store.settle([settlement, settlement])
            #expect(try await fixture.counts() == [.available: 1])
            #expect(try await fixture.store.job(id)?.errors.count == 1)
        }
    }

    @Test(arguments: Engine.allCases)
    func `a lease that was never given out settles nothing`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            try await fixture.enqueue()
            let lease = try await fixture.claim(try await fixture.worker())[0]
            let wrong = LeaseID(rawValue: lease.id.rawValue + 1)
            let reply = try await fixture.store.settle([
                .testing(wrong, 0, .completed(result: nil)), .testing(lease.id, 5, .completed(result: nil)),
                .testing(lease.id, -1, .completed(result: nil)),
            ])
            #expect(reply.lost == [wrong])
            #expect(try await fixture.counts() == [.running: 1])
        }
    }

    @Test(arguments: Engine.allCases)
    func `a worker that lost its lease cannot settle, whatever ending it brings`(_ engine: Engine) async throws {
        let endings: [Ending] = [
            .completed(result: .emptyObject), .retryable(.boom, after: .zero), .retryable(.boom, after: .seconds(9)),
            .snoozed(.seconds(9)), .failed(.boom, .exhausted), .cancelled, .givenBack,
        ]
        try await withStore(engine) { fixture in
            for ending in endings {
                let id = try await fixture.enqueue()[0]
                let zombie = try await fixture.worker("zombie", lease: .seconds(10))
                let old = try await fixture.claim(zombie)[0]
                fixture.advance(.seconds(11))
                #expect(try await fixture.store.recover().workers == [zombie])
                #expect(try await fixture.settle(old, 0, ending).lost == [old.id])
                #expect(try await fixture.state(id) == .available)

                let heir = try await fixture.worker("heir")
                let new = try await fixture.claim(heir)[0]
                #expect(new.id > old.id)
                #expect(new.jobs.map(\.id) == [id])
                #expect(try await fixture.settle(old, 0, ending).lost == [old.id])
                #expect(try await fixture.state(id) == .running)
                #expect(try await fixture.settle(new, 0, .completed(result: nil)).lost == [])
                #expect(try await fixture.settle(old, 0, ending).lost == [old.id])
                #expect(try await fixture.state(id) == .completed)
                #expect(
                    try await fixture.store.job(id)?.errors.map(\.error.type) == ["crash"],
                    "the zombie's error is not written")
                try await fixture.store.deregister(heir)
            }
        }
    }

    @Test(arguments: Engine.allCases)
    func `what is lost does not hold up what is not`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let ids = try await fixture.enqueue(count: 2)
            let gone = try await fixture.worker("gone", lease: .seconds(10))
            let old = try await fixture.claim(gone, limit: 1)[0]
            fixture.advance(.seconds(11))
            _ = try await fixture.store.recover()
            let alive = try await fixture.worker("alive")
            let new = try await fixture.claim(alive, limit: 1)[0]
            let reply = try await fixture.store.settle([
                .testing(old.id, 0, .completed(result: nil)), .testing(new.id, 0, .completed(result: nil)),
            ])
            #expect(reply.lost == [old.id])
            #expect(try await fixture.state(ids[1]) == .completed)
            #expect(try await fixture.state(ids[0]) == .available)
        }
    }
}
