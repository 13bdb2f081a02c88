import Foundation
import Martlet
import Synchronization

/// What a queue costs against its size: jobs that wait, jobs that have ended, jobs for later, and lanes (kinds and queues that
/// are claimed apart).
enum Growth {
    /// What grows. Each is a case, so that one can be measured without the others, which take minutes.
    enum Part: String, CaseIterable {
        case waiting, finished, later, lanes

        var what: String {
            switch self {
            case .waiting: "what it costs that 10 M jobs wait"
            case .finished: "what it costs that 10 M jobs have ended"
            case .later: "what it costs that 1 M jobs are for later"
            case .lanes: "jobs of 1 to 1 000 lanes"
            }
        }
    }

    static let sqlite = Part.allCases.map { part in
        Case("sqlite.growth.\(part)", part.what) { bench in try await run(part, bench, Ground.sqlite) }
    }

    static let postgres = Part.allCases.map { part in
        Case("pg.growth.\(part)", part.what) { bench in try await run(part, bench, Ground.postgres) }
    }

    private typealias WithGround = (Bench, (Ground) async throws -> Void) async throws -> Void

    private static let sizes = [100_000, 1_000_000, 10_000_000]
    /// What is enqueued and run at each size; less than the smallest.
    private static let portion = 50_000

    private static func run(_ part: Part, _ bench: Bench, _ withGround: WithGround) async throws {
        switch part {
        case .waiting: try await withClient(bench, withGround) { try await waiting(bench, $0, $1) }
        case .finished: try await withClient(bench, withGround) { try await finished(bench, $0, $1) }
        case .later: try await withClient(bench, withGround) { try await later(bench, $0, $1) }
        case .lanes:
            for lanes in [1, 10, 100, 1_000] {
                try await withClient(bench, withGround) { _, client in
                    try await bench.report(rate: "\(lanes) lanes") { try await runInLanes(client, lanes) }
                }
            }
        }
    }

    private static func withClient(
        _ bench: Bench, _ withGround: WithGround, _ body: @escaping (Ground, Client) async throws -> Void
    ) async throws {
        try await withGround(bench) { ground in
            let client = try await ground.client()
            try await body(ground, client)
            await client.close()
        }
    }

    private static func waiting(_ bench: Bench, _ ground: Ground, _ client: Client) async throws {
        var there = 0
        for size in sizes {
            try await Load.bulk(client, jobs: size - there)
            there = size
            try await commands(bench, ground, "\(name(size)) waiting", job: size / 2)
            try await bench.report(rate: "\(name(size)) waiting") {
                try await Load.bulk(client, jobs: size - there)
                let (rate, ran) = try await runSome(client)
                there = size - ran
                return rate
            }
        }
    }

    private static func finished(_ bench: Bench, _ ground: Ground, _ client: Client) async throws {
        var there = 0
        for size in sizes {
            try await Load.bulk(client, jobs: size - there)
            try await Load.drain(client)
            try await commands(bench, ground, "\(name(size)) finished", job: size / 2)
            try await bench.report(rate: "\(name(size)) finished") { try await runPortion(client) }
            there = size + bench.options.runs * portion
        }
    }

    /// Due tomorrow.
    private static func later(_ bench: Bench, _ ground: Ground, _ client: Client) async throws {
        var there = 0
        for size in [10_000, 1_000_000] {
            for start in stride(from: there, to: size, by: Limits.enqueueBatch) {
                let range = start..<min(start + Limits.enqueueBatch, size)
                try await client.enqueue(contentsOf: range.map { Nothing(number: $0) }, in: .seconds(86_400))
            }
            there = size
            try await commands(bench, ground, "\(name(size)) for later", job: size / 2)
            try await bench.report(rate: "\(name(size)) for later") { try await runPortion(client) }
        }
    }

    private static func runPortion(_ client: Client) async throws -> Double {
        try await Load.bulk(client, jobs: portion)
        return try await Double(portion) / seconds { try await Load.drain(client) }
    }

    // MARK: What is measured

    /// What people ask at that size, and one more job.
    private static func commands(_ bench: Bench, _ ground: Ground, _ size: String, job: Int) async throws {
        for arguments in [["stats"], ["jobs", "list"], ["jobs", "show", "\(job)"], ["enqueue", "other", "{}"]] {
            let times = try await bench.repeated { try await Programs.time(arguments, database: ground.url) }
            bench.report("\(size): martlet \(arguments.prefix(2).joined(separator: " "))", "ms", times)
        }
    }

    private struct Counted: Job, Codable {
        static let kind = Nothing.kind
        var number: Int

        func run(_ context: JobContext) async throws { Growth.ran.add(1, ordering: .relaxed) }
    }

    private static let ran = Atomic(0)

    /// Runs about a portion of what waits; more waits than that.
    /// - Returns: jobs a second, and how many.
    private static func runSome(_ client: Client) async throws -> (rate: Double, ran: Int) {
        ran.store(0, ordering: .relaxed)
        let worker = try Worker(client, jobs: [Counted.self], logger: Load.logger)
        let task = Task.detached { try await worker.run() }
        let time = try await seconds {
            while ran.load(ordering: .relaxed) < portion { try await Task.sleep(for: .milliseconds(1)) }
        }
        let count = ran.load(ordering: .relaxed)
        task.cancel()
        try await task.value
        return (Double(count) / time, ran.load(ordering: .relaxed))
    }

    private static func runInLanes(_ client: Client, _ lanes: Int) async throws -> Double {
        for lane in 0..<lanes {
            let jobs = (0..<portion / lanes).map { Nothing(number: $0) }
            for start in stride(from: 0, to: jobs.count, by: Limits.enqueueBatch) {
                let end = min(start + Limits.enqueueBatch, jobs.count)
                try await client.enqueue(contentsOf: jobs[start..<end], queue: "queue-\(lane)")
            }
        }
        return try await Double(portion) / seconds { try await Load.drain(client) }
    }

    private static func name(_ size: Int) -> String { size < 1_000_000 ? "\(size / 1_000) k" : "\(size / 1_000_000) M" }
}

extension Bench {
    fileprivate func report(rate name: String, _ body: () async throws -> Double) async throws {
        report("\(name): jobs run", "jobs/s", try await rounds(body))
    }
}
