import Foundation
import Glibc
import Martlet
import Synchronization

/// `concurrency: auto` beside every fixed limit of a sweep, for what limits work in practice: processors, a pool of 8 connections,
/// and a service that answers 50 calls a second and refuses more. The last two are models in this process.
enum Adapting {
    static func run(_ bench: Bench) async throws {
        for site in [Site.processors, .connections, .service] {
            var best = (limit: 0, rate: 0.0)
            for limit in [1, 2, 3, 4, 5, 6, 8, 12, 16, 32] {
                let rate = try await goodput(site, limit: limit, seconds: 8, last: 5)
                if rate > best.rate { best = (limit, rate) }
            }
            let auto = try await goodput(site, limit: nil, seconds: 60, last: 15)
            bench.report(
                "auto of the best fixed limit (\(best.limit)), \(site.rawValue)", "×", [auto / best.rate], atLeast: 0.85)
        }
    }

    enum Site: String, CaseIterable {
        case processors
        case connections = "8 connections"
        case service = "429 above 50/s"
    }

    /// - Parameter limit: nil: found by the worker.
    /// - Returns: completed runs per second, of the last ones.
    private static func goodput(_ site: Site, limit: Int?, seconds: Int, last: Int) async throws -> Double {
        try await withDirectory { directory in
            let client = try await Client(.sqlite(directory.appendingPathComponent("bench.db").path))
            Working.setting.withLock { $0 = (limit, 0) }
            let most = (site == .processors ? 600 : 500) * seconds
            for start in stride(from: 0, to: most, by: Limits.enqueueBatch) {
                let count = min(Limits.enqueueBatch, most - start)
                try await client.enqueue(contentsOf: (0..<count).map { _ in Working(site: site.rawValue) })
            }
            var configuration = Worker.Configuration()
            configuration.concurrency = 100
            let worker = try Worker(client, jobs: [Working.self], configuration: configuration, logger: Load.logger)
            let work = Task { try await worker.run() }
            try await Task.sleep(for: .seconds(seconds - last))
            let before = Working.setting.withLock { $0.completed }
            try await Task.sleep(for: .seconds(last))
            let after = Working.setting.withLock { $0.completed }
            work.cancel()
            try await work.value
            await client.close()
            return Double(after - before) / Double(last)
        }
    }
}

private struct Working: Job {
    static let kind = "working"
    static let retry = RetryPolicy(maxAttempts: 1_000, backoff: .delays([.milliseconds(200)]), jitter: 0.2)
    static let setting = Mutex<(limit: Int?, completed: Int)>((nil, 0))
    static let pool = Places(8)
    static let refusals = Mutex<(second: Int, calls: Int)>((0, 0))
    static var concurrency: Int? { setting.withLock { $0.limit } }
    static var adaptsConcurrency: Bool { setting.withLock { $0.limit == nil } }

    let site: String

    func run(_ context: JobContext) async throws {
        switch Adapting.Site(rawValue: site) {
        case .processors: Self.compute()
        case .connections: try await Self.pool.hold { try await Task.sleep(for: .milliseconds(25)) }
        case .service: try await Self.call()
        case nil: throw Discard("no such site")
        }
        Self.setting.withLock { $0.completed += 1 }
    }

    /// Five milliseconds of a processor, which runs beside it make longer.
    private static func compute() {
        let end = processorTime() + 5_000_000
        var value: UInt64 = 1
        while processorTime() < end {
            for _ in 0..<2_000 { value = value &* 6_364_136_223_846_793_005 &+ 1 }
        }
        sink.withLock { $0 ^= value }
    }

    /// Of this thread, in nanoseconds.
    private static func processorTime() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }

    private static let sink = Mutex<UInt64>(0)

    private static func call() async throws {
        let second = Int(ProcessInfo.processInfo.systemUptime)
        let isRefused = refusals.withLock { state in
            if state.second != second { state = (second, 0) }
            state.calls += 1
            return state.calls > 50
        }
        try await Task.sleep(for: .milliseconds(isRefused ? 20 : 100))
        if isRefused { throw Retry(after: .milliseconds(200), "429") }
    }
}

/// So many at a time; the others wait in line.
private final class Places: Sendable {
    private let state: Mutex<(free: Int, waiting: [CheckedContinuation<Void, Never>])>

    init(_ count: Int) { state = Mutex((count, [])) }

    func hold(_ body: () async throws -> Void) async throws {
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                guard state.free == 0 else {
                    state.free -= 1
                    return true
                }
                state.waiting.append(continuation)
                return false
            }
            if isFree { continuation.resume() }
        }
        defer {
            let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
                guard state.waiting.isEmpty else { return state.waiting.removeFirst() }
                state.free += 1
                return nil
            }
            next?.resume()
        }
        try await body()
    }
}
