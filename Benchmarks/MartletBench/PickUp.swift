import Foundation
import Glibc
import Logging
import Martlet
import Synchronization

/// Carries the moment of its enqueue, by the clock that all processes of a machine share.
struct Stamped: Job, Codable {
    static let kind = "stamped"
    let sent: UInt64

    func run(_ context: JobContext) async throws {
        let now = PickUp.now()
        PickUp.delays.withLock { $0.append(Double(now - sent) / 1e6) }
    }
}

/// From the call that enqueues, in one process, to the first line of the handler, in another that had nothing to do.
enum PickUp {
    static let delays = Mutex<[Double]>([])
    static let jobs = 300

    static func sqliteCase(_ bench: Bench) async throws {
        var floors: [Double] = []
        let values = try await bench.repeated {
            // Side by side with each run: what a disk takes changes by the minute where others use it too.
            floors.append(percentile(try await DiskFloor.run(times: 100), 0.5))
            return try await withDirectory { directory in
                try await run("sqlite:" + directory.appendingPathComponent("bench.db").path, in: directory)
            }
        }
        bench.report("the disk alone: 4 pages and fdatasync, p50", "ms", floors)
        report(bench, values, p50: 1, p99: 5)
    }

    static func postgresCase(_ bench: Bench) async throws {
        let server = try bench.postgres()
        var floors: [[Double]] = []
        let values = try await bench.rounds {
            try await server.withDatabase { database in
                floors.append(try await NotificationFloor.run(database, times: jobs))
                return try await withDirectory { directory in try await run(database.url, in: directory) }
            }
        }
        bench.report("a durable commit and its notification, p50", "ms", floors.map { percentile($0, 0.5) })
        bench.report("a durable commit and its notification, p99", "ms", floors.map { percentile($0, 0.99) })
        report(bench, values, p50: 0.8, p99: 3)
        for (share, most) in [(0.5, 1.2), (0.99, 5)] {
            let ratios = zip(values, floors).map { percentile($0, share) / percentile($1, 0.5) }
            bench.report("  p\(Int(share * 100)), of that commit and notification", "×", ratios, atMost: most)
        }
    }

    private static func report(_ bench: Bench, _ values: [[Double]], p50: Double, p99: Double) {
        bench.report("pick-up, other process to idle worker, p50", "ms", values.map { percentile($0, 0.5) }, atMost: p50)
        bench.report("pick-up, other process to idle worker, p99", "ms", values.map { percentile($0, 0.99) }, atMost: p99)
    }

    static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// Long enough that whoever waits sleeps again; not in step with any clock.
    static func pause() async throws { try await Task.sleep(for: .microseconds(Int.random(in: 8_000...25_000))) }

    /// - Returns: milliseconds of each job.
    static func run(_ url: String, in directory: URL) async throws -> [Double] {
        let client = try await Client(database(url))
        let worker = try Worker(client, jobs: [Stamped.self], logger: Load.logger)
        delays.withLock { $0 = [] }
        let running = Task.detached { try await worker.run() }
        let producer = try Programs.start(
            URL(fileURLWithPath: "/proc/self/exe"), ["produce", url, "\(jobs)"], in: directory)
        while producer.isRunning || delays.withLock({ $0.count }) < jobs {
            try await Task.sleep(for: .milliseconds(50))
            if !producer.isRunning && producer.terminationStatus != 0 { throw Failure("the producer failed") }
        }
        running.cancel()
        try await running.value
        await client.close()
        return delays.withLock { $0 }
    }

    /// The other process.
    static func produce(_ url: String, jobs: Int) async throws {
        let client = try await Client(database(url))
        for _ in 0..<jobs {
            try await pause()
            try await client.enqueue(Stamped(sent: now()))
        }
        await client.close()
    }

    private static func database(_ url: String) -> Database {
        url.hasPrefix("sqlite:") ? .sqlite(String(url.dropFirst("sqlite:".count))) : .postgres(url)
    }
}

/// What the disk alone takes for one such enqueue on SQLite: the four pages it appends, and their fdatasync, after a pause as
/// long.
enum DiskFloor {
    /// - Returns: milliseconds of each.
    static func run(times: Int) async throws -> [Double] {
        try await withDirectory { directory in
            let file = open(directory.appendingPathComponent("floor").path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
            guard file >= 0 else { throw Failure("cannot make a file in \(directory.path)") }
            defer { close(file) }
            let page = [UInt8](repeating: 1, count: 4_120)
            var delays: [Double] = []
            for number in 0..<times {
                try await PickUp.pause()
                let start = PickUp.now()
                for part in 0..<4 { pwrite(file, page, page.count, (number * 4 + part) * page.count) }
                guard fdatasync(file) == 0 else { throw Failure("fdatasync failed") }
                delays.append(Double(PickUp.now() - start) / 1e6)
            }
            return delays
        }
    }
}
