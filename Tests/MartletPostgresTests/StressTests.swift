import Foundation
import Glibc
import MartletCore
import MartletPostgres
import MartletStore
import MartletTestSupport
import Synchronization
import Testing

/// Many at once, by SQL alone: 12 producers that hold transactions open, use savepoints and roll back, and 4 workers some of
/// which die between claiming and settling. What the schedule will be depends on the machine; what each of them does, on
/// the seed.
@Suite struct StressTests {
    private static let environment = ProcessInfo.processInfo.environment
    private static let seconds = environment["MARTLET_FAULT_DOSE"] == "full" ? 90 : 8

    @Test(.timeLimit(.minutes(10)))
    func `nothing is lost, settled twice or run after a rollback, whoever dies`() async throws {
        let seed = Self.environment["MARTLET_STRESS_SEED"].flatMap { UInt64($0) } ?? .random(in: 0...999_999)
        print("MARTLET_STRESS_SEED=\(seed)")
        try await withStore { store, schema in
            let crowd = Crowd(schema, seed: seed, until: ContinuousClock.now + .seconds(Self.seconds))
            let isOver = try await crowd.work(atMost: .seconds(Self.seconds + 120))
            try #require(isOver, "seed \(seed)")
            // Those that saw three of their workers die are waiting.
            schema.advance(by: .seconds(7_200))
            try await drain(store)
            crowd.ledger.withLock { ledger in
                #expect(ledger.committed.count > 100 && ledger.kills > 0, "seed \(seed): not much happened")
                #expect(ledger.repeated == 0, "seed \(seed)")
                #expect(ledger.claimed.subtracting(ledger.committed) == [], "seed \(seed): ran, but was never committed")
                #expect(ledger.settled.filter { $0.value > 1 } == [:], "seed \(seed): settled twice")
                #expect(Set(ledger.settled.keys).subtracting(ledger.committed) == [], "seed \(seed)")
            }
            // What the database says: all are done, those that the workers had settled among them.
            let committed = crowd.ledger.withLock { $0.committed }
            let counts = try await store.stats().counts.filter { $0.value != 0 }
            #expect(counts == [.completed: committed.count], "seed \(seed)")
            #expect(try schema.psql("select * from audit()") == "", "seed \(seed)")
            let completed = try schema.psql(
                "select coalesce(j.id, j.position) from lease l, unnest(l.positions) with ordinality e(position, n) "
                    + "join job j using (position) where get_byte(l.endings, e.n::int - 1) = 1")
            let ids = completed.split(separator: "\n").compactMap { Int64($0) }
            #expect(ids.count == committed.count && Set(ids) == committed, "seed \(seed)")
        }
    }

    /// One more worker takes over what is left.
    private func drain(_ store: PostgresStore) async throws {
        let worker = try await store.register(.testing("last", lease: .seconds(86_400)))
        while true {
            try Task.checkCancellation()
            _ = try await store.recover()
            _ = try await store.promote(limit: 10_000)
            let leases = try await store.claim(.testing(worker, limit: 1_000))
            for lease in leases {
                let reply = try await store.settle(
                    lease.jobs.indices.map { .testing(lease.id, $0, .completed(result: nil)) })
                #expect(reply.lost == [] && reply.repeated == 0)
            }
            let counts = try await store.stats().counts
            if [.available, .running, .retryable].allSatisfy({ counts[$0] == 0 }) { return }
        }
    }
}

/// The producers and workers, each with a thread and connections of its own, and what they saw.
private final class Crowd: Sendable {
    struct Ledger {
        var committed: Set<Int64> = []
        var claimed: Set<Int64> = []
        var settled: [Int64: Int] = [:]
        var repeated = 0
        var kills = 0
    }

    let ledger = Mutex(Ledger())
    private let schema: PostgresSchema
    private let seed: UInt64
    private let end: ContinuousClock.Instant
    private let open = Mutex<Set<pid_t>>([])

    init(_ schema: PostgresSchema, seed: UInt64, until end: ContinuousClock.Instant) {
        self.schema = schema
        self.seed = seed
        self.end = end
    }

    /// - Returns: false when it was not over in time; then it has said who waits for whom.
    func work(atMost limit: Duration) async throws -> Bool {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<16 {
                group.addTask {
                    try await self.onThread { try number < 12 ? self.produce(number) : self.consume(number) }
                    return true
                }
            }
            group.addTask {
                do { try await Task.sleep(for: limit) } catch { return true }
                try self.giveUp()
                return false
            }
            for _ in 0..<16 {
                guard try await group.next() == true else { return false }
            }
            group.cancelAll()
            return true
        }
    }

    private func onThread(_ body: @escaping @Sendable () throws -> Void) async throws {
        try await withUnsafeThrowingContinuation { (continuation: UnsafeContinuation<Void, any Error>) in
            Thread.detachNewThread { continuation.resume(with: Result(catching: body)) }
        }
    }

    /// Ends all connections, so that every thread ends, and says what they were at.
    private func giveUp() throws {
        let report = try schema.psql(
            """
            select format('%s: %s, %s/%s since %s, behind %s: %s', application_name, state, wait_event_type, wait_event,
              now() - state_change, pg_blocking_pids(pid), left(query, 200))
            from pg_stat_activity where application_name like 'stress %' order by 1;
            select format('%s waits for %s %s of %s %s', pid, mode, locktype, relation::regclass, objid)
            from pg_locks where not granted;
            """)
        Issue.record("seed \(seed): not over in time\n\(report)")
        for pid in open.withLock({ $0 }) { kill(pid, SIGKILL) }
    }

    private func session(_ name: String) throws -> Session {
        let session = try Session(schema)
        open.withLock { _ = $0.insert(session.pid) }
        try session.run("set application_name = 'stress \(name)';")
        return session
    }

    private func drop(_ session: Session) {
        session.kill()
        open.withLock { _ = $0.remove(session.pid) }
    }

    // MARK: Producers

    private func produce(_ number: Int) throws {
        var random = SplitMix64(seed: seed &* 31 &+ UInt64(number))
        let session = try session("producer \(number)")
        while ContinuousClock.now < end {
            var ids: Set<Int64> = []
            try session.run("begin;")
            for _ in 0..<[1, 1, 1, 5, 20].randomElement(using: &random)! {
                let count = [1, 1, 1, 30].randomElement(using: &random)!
                let isKept = Int.random(in: 0..<10, using: &random) > 0
                try session.run("savepoint s;")
                let answer = try session.run("select enqueue('work') from generate_series(1, \(count));")
                try session.run(isKept ? "release s;" : "rollback to s;")
                if isKept { ids.formUnion(answer.split(separator: "\n").compactMap { Int64($0) }) }
                // Transactions that stay open are what this is about.
                if Int.random(in: 0..<20, using: &random) == 0 {
                    Thread.sleep(forTimeInterval: .random(in: 0...(number % 4 == 0 ? 2 : 0.3), using: &random))
                }
            }
            let isKept = Int.random(in: 0..<100, using: &random) >= 15
            // Before it is committed: a worker may have it sooner than we hear of it.
            if isKept { ledger.withLock { $0.committed.formUnion(ids) } }
            try session.run(isKept ? "commit;" : "rollback;")
        }
        drop(session)
    }

    // MARK: Workers

    private func consume(_ number: Int) throws {
        var random = SplitMix64(seed: seed &* 37 &+ UInt64(number))
        var session = try session("worker \(number)")
        var worker = try register(session, number)
        while ContinuousClock.now < end {
            try session.run("select workers from recover(); select moved from promote(1000);")
            if try session.run("select alive from heartbeat(\(worker));") != "t" { worker = try register(session, number) }
            let limit = [1, 7, 100].randomElement(using: &random)!
            let claim =
                "select lease, array_to_string(ids, ',') from claim(\(worker), '{work}', '{\(limit)}', null, \(limit));"
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<4:
                // A claim that does not come to be.
                try session.run("begin; \(claim) rollback;")
            case 4..<16:
                _ = leases(try session.run(claim))
                // Gone with what it holds, by either end.
                if Bool.random(using: &random) {
                    try schema.psql(
                        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'stress worker \(number)'"
                    )
                }
                drop(session)
                ledger.withLock { $0.kills += 1 }
                session = try self.session("worker \(number)")
                worker = try register(session, number)
            default:
                for lease in leases(try session.run(claim)) { try settle(lease, session, &random) }
            }
        }
        drop(session)
    }

    /// - Returns: its id. Its lease is short: who dies is to be noticed.
    private func register(_ session: Session, _ number: Int) throws -> String {
        try session.run("select register('w\(number)', 'h', 1, 'v', '{work}', null, 1, 1500);")
    }

    private struct Held {
        let id: String
        let jobs: [Int64]
    }

    private func leases(_ answer: String) -> [Held] {
        let leases = answer.split(separator: "\n").compactMap { line -> Held? in
            let columns = line.split(separator: "|")
            guard columns.count == 2 else { return nil }
            return Held(id: String(columns[0]), jobs: columns[1].split(separator: ",").compactMap { Int64($0) })
        }
        ledger.withLock { $0.claimed.formUnion(leases.flatMap(\.jobs)) }
        return leases
    }

    /// In one piece or two.
    private func settle(_ lease: Held, _ session: Session, _ random: inout SplitMix64) throws {
        let middle = Bool.random(using: &random) ? 0 : Int.random(in: 0..<lease.jobs.count, using: &random)
        for piece in [0..<middle, middle..<lease.jobs.count] where !piece.isEmpty {
            let reply = try session.run(
                """
                select cardinality(lost), repeated from settle('{\(lease.id)}', '{\(piece.lowerBound)}',
                  array[decode(repeat('01', \(piece.count)), 'hex')], array[decode(repeat('00', \(piece.count * 8)), 'hex')],
                  '{\(piece.count)}');
                """)
            ledger.withLock { ledger in
                guard reply.hasPrefix("0|") else { return }
                if reply != "0|0" { ledger.repeated += 1 }
                for job in lease.jobs[piece] { ledger.settled[job, default: 0] += 1 }
            }
        }
    }
}
