import Foundation
import Martlet
import Synchronization

/// Full speed for minutes while somebody else holds a snapshot open: producer and worker in one process, a bounded backlog.
enum OpenSnapshot {
    /// Jobs that may wait at any time.
    private static let backlog = 100_000

    static func run(_ bench: Bench) async throws {
        let server = try bench.postgres()
        try await server.withDatabase { database in
            let holder = try SnapshotHolder(database)
            let minute = max(bench.options.minutes * 60, 10)
            let before = try database.psql("select pg_current_wal_lsn()")
            let (done, settled) = try await work(database, for: minute)
            let bytes = try database.number("select pg_wal_lsn_diff(pg_current_wal_lsn(), '\(before)')")
            let dead = try database.number(
                """
                select coalesce(sum(n_dead_tup), 0) from pg_stat_user_tables
                where schemaname = 'martlet' and relname like 'job\\_%'
                """)
            try holder.end()
            // Of a run shorter than two minutes, the first and the last third.
            let part = min(60, Int(minute) / 3)
            let first = Double(done.prefix(part).reduce(0, +)) / Double(part)
            let last = Double(done.suffix(part).reduce(0, +)) / Double(part)
            bench.report("enqueued and run, snapshot held, first \(part) s", "jobs/s", [first])
            bench.report("enqueued and run, snapshot held, last \(part) of \(Int(minute)) s", "jobs/s", [last])
            bench.reportRatio("  of the first", [last], of: [first], atLeast: 0.9)
            bench.report("  dead rows in job", "rows", [dead], atMost: 0)
            bench.report("  WAL, enqueue to settled", "bytes/job", [bytes / Double(settled)], atMost: 600)
        }
    }

    private static let ran = Atomic(0)

    struct Counted: Job, Codable {
        static let kind = "counted"
        var number: Int
        var recipient = "somebody@example.com"
        var subject = "Your order has been shipped and will arrive soon"

        func run(_ context: JobContext) async throws { OpenSnapshot.ran.wrappingAdd(1, ordering: .relaxed) }
    }

    /// - Returns: jobs run in each second, and in all.
    private static func work(_ database: BenchDatabase, for time: Double) async throws -> (perSecond: [Int], all: Int) {
        ran.store(0, ordering: .relaxed)
        let client = try await Client(.postgres(database.url))
        let worker = try Worker(client, jobs: [Counted.self], logger: Load.logger)
        let running = Task.detached { try await worker.run() }
        let producing = Task.detached { try await produce(client) }
        var (perSecond, last): ([Int], Int) = ([], 0)
        for _ in 0..<Int(time) {
            try await Task.sleep(for: .seconds(1))
            let now = ran.load(ordering: .relaxed)
            perSecond.append(now - last)
            last = now
        }
        producing.cancel()
        let sent = try await producing.value
        while ran.load(ordering: .relaxed) < sent { try await Task.sleep(for: .milliseconds(10)) }
        running.cancel()
        try await running.value
        await client.close()
        return (perSecond, sent)
    }

    private static func produce(_ client: Client) async throws -> Int {
        var sent = 0
        while !Task.isCancelled {
            guard sent - ran.load(ordering: .relaxed) < backlog else {
                await Task.yield()
                usleep(500)
                continue
            }
            try await client.enqueue(contentsOf: (sent..<sent + 1_000).map { Counted(number: $0) })
            sent += 1_000
        }
        return sent
    }
}

/// Another session, with a REPEATABLE READ transaction open.
private final class SnapshotHolder {
    private let process = Process()
    private let input = Pipe()

    init(_ database: BenchDatabase) throws {
        process.executableURL = database.psqlProgram
        process.arguments = ["-X", "-q", "-d", database.url]
        process.standardInput = input
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        input.fileHandleForWriting.write(
            Data("begin isolation level repeatable read; select count(*) from pg_class;\n".utf8))
        for _ in 0..<1_000 {
            if try database.number(Self.question) > 0 { return }
            usleep(10_000)
        }
        throw Failure("nobody holds a snapshot")
    }

    private static let question = """
        select count(*) from pg_stat_activity where state = 'idle in transaction' and datname = current_database()
        """

    func end() throws {
        try input.fileHandleForWriting.close()
        process.waitUntilExit()
    }
}
