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

    static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// - Returns: milliseconds of each job.
    static func run(jobs: Int) async throws -> [Double] {
        try await withDirectory { directory in
            let path = directory.appendingPathComponent("bench.db").path
            let client = try await Client(.sqlite(path))
            var logger = Logger(label: "bench")
            logger.logLevel = .error
            let worker = try Worker(client, jobs: [Stamped.self], logger: logger)
            delays.withLock { $0 = [] }
            let running = Task { try await worker.run() }
            let producer = try Programs.start(
                URL(fileURLWithPath: "/proc/self/exe"), ["produce", path, "\(jobs)"], in: directory)
            while producer.isRunning || delays.withLock({ $0.count }) < jobs {
                try await Task.sleep(for: .milliseconds(50))
                if !producer.isRunning && producer.terminationStatus != 0 { throw Failure("the producer failed") }
            }
            running.cancel()
            try await running.value
            await client.close()
            return delays.withLock { $0 }
        }
    }

    /// What the disk alone takes for one such enqueue: the four pages it appends, and their fdatasync, after a pause as long.
    /// - Returns: milliseconds of each.
    static func floor(times: Int) async throws -> [Double] {
        try await withDirectory { directory in
            let file = open(directory.appendingPathComponent("floor").path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
            guard file >= 0 else { throw Failure("cannot make a file in \(directory.path)") }
            defer { close(file) }
            let page = [UInt8](repeating: 1, count: 4_120)
            var delays: [Double] = []
            for number in 0..<times {
                try await Task.sleep(for: .microseconds(Int.random(in: 8_000...25_000)))
                let start = now()
                for part in 0..<4 { pwrite(file, page, page.count, (number * 4 + part) * page.count) }
                guard fdatasync(file) == 0 else { throw Failure("fdatasync failed") }
                delays.append(Double(now() - start) / 1e6)
            }
            return delays
        }
    }

    /// The other process.
    static func produce(path: String, jobs: Int) async throws {
        let client = try await Client(.sqlite(path))
        for _ in 0..<jobs {
            // Long enough that the worker sleeps again; not in step with any of its clocks.
            try await Task.sleep(for: .microseconds(Int.random(in: 8_000...25_000)))
            try await client.enqueue(Stamped(sent: now()))
        }
        await client.close()
    }
}
