import Foundation
import Martlet
import Synchronization

/// Producer and worker in one process for minutes: once as fast as they can with a bounded backlog, once at a pace, which says
/// how long a job waits when the queue is busy and not behind.
enum Steady {
    /// Jobs that may wait at any time.
    private static let backlog = 100_000
    /// Jobs a second that are asked for, and a pace that is a little more.
    private static let throughput = 80_000.0
    private static let pace = 82_000.0
    private static let batch = 1_000

    static func steadyCase(_ bench: Bench) async throws { try await run(bench, isHeld: false) }

    /// While somebody else holds a snapshot open from the start.
    static func snapshotCase(_ bench: Bench) async throws { try await run(bench, isHeld: true) }

    private static func run(_ bench: Bench, isHeld: Bool) async throws {
        let server = try bench.postgres()
        let time = max(bench.options.minutes * 60, 10)
        let held = isHeld ? ", snapshot held" : ""
        for pace in [nil, pace] {
            try await server.withDatabase { database in
                let holder = isHeld ? try SnapshotHolder(database) : nil
                let before = try database.psql("select pg_current_wal_lsn()")
                let run = try await work(database, for: time, pace: pace)
                if pace == nil {
                    report(
                        bench, "enqueued and run\(held)", run.perSecond, plot: isHeld ? "snapshot" : "steady",
                        wholeAtLeast: throughput, lastAtLeast: 0.9)
                    try reportTraces(bench, database, run, since: before)
                } else {
                    bench.report("enqueued and run at a pace\(held)", "jobs/s", [mean(run.perSecond)], atLeast: throughput)
                    bench.report("  pick-up, p50", "ms", [percentile(run.delays, 0.5)])
                    bench.report("  pick-up, p99", "ms", [percentile(run.delays, 0.99)], atMost: 50)
                    bench.report("  pick-up, longest", "ms", [run.delays.max() ?? .nan])
                }
                try holder?.end()
            }
        }
    }

    /// All of the time, and the first and the last minute of it, or thirds of what is shorter than two.
    static func report(
        _ bench: Bench, _ name: String, _ perSecond: [Double], plot: String, wholeAtLeast: Double? = nil,
        lastAtLeast: Double? = nil
    ) {
        let part = min(60, perSecond.count / 3)
        let (first, last) = (mean(perSecond.prefix(part)), mean(perSecond.suffix(part)))
        bench.report("\(name), \(perSecond.count) s", "jobs/s", [mean(perSecond)], atLeast: wholeAtLeast)
        bench.report("  its first \(part) s", "jobs/s", [first])
        bench.report("  its last \(part) s", "jobs/s", [last])
        bench.report("  of the first", "×", [last / first], atLeast: lastAtLeast)
        bench.draw(plot, name, x: perSecond.indices.map { Double($0 + 1) }, y: perSecond)
    }

    private static func mean(_ rates: some Collection<Double>) -> Double { rates.reduce(0, +) / Double(rates.count) }

    private static func reportTraces(_ bench: Bench, _ database: BenchDatabase, _ run: Run, since lsn: String) throws {
        let bytes = try database.number("select pg_wal_lsn_diff(pg_current_wal_lsn(), '\(lsn)')")
        let dead = try database.number(
            """
            select coalesce(sum(n_dead_tup), 0) from pg_stat_user_tables
            where schemaname = 'martlet' and relname like 'job\\_%'
            """)
        bench.report("  dead rows in job", "rows", [dead], atMost: 0)
        bench.report("  WAL, enqueue to settled", "bytes/job", [bytes / Double(run.all)], atMost: 600)
    }

    private struct Run {
        /// Jobs run in each second.
        let perSecond: [Double]
        let all: Int
        /// Pick-ups in milliseconds, of some.
        let delays: [Double]
    }

    private static let ran = Atomic(0)
    private static let isOver = Atomic(false)

    struct Counted: Job, Codable {
        static let kind = "counted"
        var number: Int
        /// Of one in a thousand: the moment at which it was due to be enqueued.
        var due: UInt64?
        var recipient = "somebody@example.com"
        var subject = "Your order has been shipped and will arrive soon"

        init(number: Int, due: UInt64) {
            self.number = number
            // Not a multiple of a batch: any place in one.
            self.due = number % 997 == 0 ? due : nil
        }

        func run(_ context: JobContext) async throws {
            Steady.ran.wrappingAdd(1, ordering: .relaxed)
            if let due { PickUp.delays.withLock { $0.append(Double(PickUp.now() - due) / 1e6) } }
        }
    }

    private static func work(_ database: BenchDatabase, for time: Double, pace: Double?) async throws -> Run {
        ran.store(0, ordering: .relaxed)
        isOver.store(false, ordering: .relaxed)
        PickUp.delays.withLock { $0 = [] }
        let client = try await Client(.postgres(database.url))
        let worker = try Worker(client, jobs: [Counted.self], logger: Load.logger)
        let running = Task.detached { try await worker.run() }
        let producing = Task.detached { try await produce(client, for: time, pace: pace) }
        var (perSecond, last, moment): ([Double], Int, UInt64) = ([], 0, PickUp.now())
        for _ in 0..<Int(time) {
            try await Task.sleep(for: .seconds(1))
            let (now, later) = (ran.load(ordering: .relaxed), PickUp.now())
            perSecond.append(Double(now - last) / (Double(later - moment) / 1e9))
            (last, moment) = (now, later)
        }
        isOver.store(true, ordering: .relaxed)
        let sent = try await producing.value
        while ran.load(ordering: .relaxed) < sent { try await Task.sleep(for: .milliseconds(10)) }
        running.cancel()
        try await running.value
        await client.close()
        return Run(perSecond: perSecond, all: sent, delays: PickUp.delays.withLock { $0 })
    }

    /// Two batches under way: one is encoded while the other is written.
    ///
    /// At a pace each batch has a time at which it is due, and its jobs' waits begin there, whatever the producer waits for itself:
    /// a queue that stands still for a second is a second late for all that were due meanwhile. Those are enqueued all the same,
    /// the last ones after the time is over.
    private static func produce(_ client: Client, for time: Double, pace: Double?) async throws -> Int {
        let begin = PickUp.now()
        var sent = 0
        try await withThrowingTaskGroup(of: Void.self) { group in
            var underWay = 0
            while pace.map({ Double(sent) / $0 < time }) ?? !isOver.load(ordering: .relaxed) {
                let now = PickUp.now()
                let due = pace.map { begin + UInt64(Double(sent) / $0 * 1e9) } ?? now
                guard due <= now, sent - ran.load(ordering: .relaxed) < backlog else {
                    try await Task.sleep(for: .microseconds(500))
                    continue
                }
                if underWay == 2 {
                    try await group.next()
                    underWay -= 1
                }
                let numbers = sent..<sent + batch
                group.addTask { try await client.enqueue(contentsOf: numbers.map { Counted(number: $0, due: due) }) }
                underWay += 1
                sent += batch
            }
            try await group.waitForAll()
        }
        return sent
    }
}
