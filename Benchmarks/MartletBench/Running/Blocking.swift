import Foundation
import Glibc
import Logging
import Martlet
import Synchronization

/// Blocks a thread of its own, as a library without `await` does.
struct Sleeping: Job, Codable {
    static let kind = "sleeping"
    static let executor = Executor.blocking
    let milliseconds: UInt32

    func run(_ context: JobContext) async throws { usleep(milliseconds * 1_000) }
}

/// Does the same where it must not: on a thread that all coroutines share.
struct Rude: Job, Codable {
    static let kind = "rude"
    let seconds: UInt32

    func run(_ context: JobContext) async throws {
        Blocking.runs.withLock { $0 += 1 }
        usleep(seconds * 1_000_000)
    }
}

/// Handlers that block their thread: on threads of their own, and where they should not.
enum Blocking {
    static let runs = Mutex(0)

    /// Twice the threads, half the time.
    static func threads(_ bench: Bench) async throws {
        var ten: [Double] = []
        let twenty = try await bench.rounds {
            ten.append(try await time(concurrency: 10))
            return try await time(concurrency: 20)
        }
        bench.reportRatio("200 blocking jobs, 20 threads against 10", ten, of: twenty, atLeast: 1.9)
    }

    private static func time(concurrency: Int) async throws -> Double {
        try await withDirectory { directory in
            let client = try await Client(.sqlite(directory.appendingPathComponent("bench.db").path))
            try await client.enqueue(contentsOf: [Sleeping](repeating: Sleeping(milliseconds: 50), count: 200))
            var configuration = Worker.Configuration()
            configuration.concurrency = concurrency
            configuration.drain = true
            let worker = try Worker(client, jobs: [Sleeping.self], configuration: configuration, logger: Load.logger)
            let time = try await seconds { try await worker.run() }
            await client.close()
            return time
        }
    }

    /// 16 coroutines that block for twice the lease.
    static func rude(_ bench: Bench) async throws {
        let (named, took) = try await withDirectory { directory in
            let client = try await Client(.sqlite(directory.appendingPathComponent("bench.db").path))
            try await client.enqueue(contentsOf: [Rude](repeating: Rude(seconds: 20), count: 16))
            var configuration = Worker.Configuration()
            configuration.lease = .seconds(10)
            configuration.drain = true
            let begun = ContinuousClock.now
            let named = Mutex<Double?>(nil)
            let logger = Logger(label: "bench") { _ in
                Listener { message, metadata in
                    guard message.contains("blocks its thread"), metadata["kind"] == "rude" else { return }
                    named.withLock { $0 = $0 ?? (ContinuousClock.now - begun).seconds }
                }
            }
            let worker = try Worker(client, jobs: [Rude.self], configuration: configuration, logger: logger)
            let took = try await seconds { try await worker.run() }
            await client.close()
            return (named.withLock { $0 }, took)
        }
        guard let named else { throw Failure("nobody named the kind that blocks") }
        bench.report("16 coroutines block for 20 s: named after", "s", [named], atMost: 2)
        bench.report("  runs (a lost lease runs a job again)", "", [Double(runs.withLock { $0 })], atMost: 16)
        bench.report("  all ended after", "s", [took])
    }
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}

/// Hears what a worker logs.
private struct Listener: LogHandler {
    let hear: @Sendable (String, Logger.Metadata) -> Void
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.warning

    init(_ hear: @escaping @Sendable (String, Logger.Metadata) -> Void) { self.hear = hear }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        hear("\(event.message)", metadata.merging(event.metadata ?? [:]) { $1 })
    }
}
