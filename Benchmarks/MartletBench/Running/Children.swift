import Foundation
import Glibc
import Logging
import Martlet
import MartletWorker

/// What it costs to run jobs in processes of their own, and what it brings.
enum Children {
    static let jobs: [any Job.Type] = [Nothing.self, Computation.self]

    struct Nothing: Job {
        static let kind = "nothing"
        static let executor = Executor.process
        func run(_ context: JobContext) async throws {}
    }

    /// About ten milliseconds of one processor: enough that the hand-over does not count.
    struct Computation: Job {
        static let kind = "computation"
        static let executor = Executor.process
        static let concurrency: Int? = 64
        let number: Int

        func run(_ context: JobContext) async throws { try compute() }

        func compute() throws {
            var value = UInt64(number) | 1
            for _ in 0..<50_000_000 { value = value &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407 }
            guard value != 0 else { throw Discard("cannot be: odd numbers stay odd") }
        }
    }

    static func run(_ bench: Bench) async throws {
        try await handOver(bench)
        try await command(bench)
        try await compute(bench)
    }

    private static func call(_ kind: String) -> HandlerCall {
        HandlerCall(
            id: JobID(rawValue: 1), kind: kind, queue: "default", attempt: 1, maxAttempts: 1, lease: LeaseID(rawValue: 1),
            args: JSONText.emptyObject, enqueuedAt: Timestamp(microseconds: 0), timeout: nil,
            logger: Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() })
    }

    /// A job's way to a child that waits for it, and its outcome's way back.
    private static func handOver(_ bench: Bench) async throws {
        let pool = ProcessPool(settings: ProcessPool.Settings())
        let (count, call) = (2_000, call("nothing"))
        let values = try await bench.repeated {
            let elapsed = try await seconds {
                for _ in 0..<count { try check(await pool.run(call).outcome) }
            }
            return elapsed / Double(count) * 1e6
        }
        bench.report("child: hand-over of a job to a warm one", "µs", values, atMost: 300)
    }

    /// Beside a bare posix_spawn, one after the other, so that both meet the same noise.
    private static func command(_ bench: Bench) async throws {
        let handler = Handler(kind: "true", command: try CommandSpec(argv: ["/bin/true"]))
        let (count, call) = (200, call("true"))
        var (bare, ours): ([Double], [Double]) = ([], [])
        for round in 0..<(bench.options.runs + 1) {
            var sums = (bare: 0.0, ours: 0.0)
            for _ in 0..<count {
                sums.bare += try await seconds { try spawn() }
                sums.ours += try await seconds { try check(await handler.run(call).outcome) }
            }
            // The first is to warm up.
            guard round > 0 else { continue }
            bare.append(sums.bare / Double(count) * 1e3)
            ours.append((sums.ours - sums.bare) / Double(count) * 1e3)
        }
        bench.report("command: posix_spawn and waitpid alone", "ms", bare)
        bench.report("command: what a handler costs above that", "ms", ours, atMost: 3)
    }

    private static func spawn() throws {
        var pid = pid_t()
        var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("/bin/true"), nil]
        defer { free(arguments[0]) }
        guard posix_spawn(&pid, "/bin/true", nil, nil, &arguments, environ) == 0 else { throw Failure("cannot spawn") }
        var status: Int32 = 0
        guard waitpid(pid, &status, 0) == pid, status == 0 else { throw Failure("/bin/true failed") }
    }

    private static func compute(_ bench: Bench) async throws {
        var (single, double, machine): ([Double], [Double], [Double]) = ([], [], [])
        for _ in 0..<bench.options.runs {
            machine.append(try await threads(1) / threads(2))
            single.append(1_000 / (try await drain(concurrency: 1)))
            double.append(1_000 / (try await drain(concurrency: 2)))
        }
        bench.report("what the machine gives two threads against one", "×", machine)
        bench.report("child: 1 000 computations of 10 ms, one at a time", "jobs/s", single)
        bench.report("child: 1 000 computations of 10 ms, two at a time", "jobs/s", double)
        bench.reportRatio("child: two at a time against one", double, of: single, atLeast: 1.85)
    }

    /// The same work without any queue: what two processors are worth here and now.
    /// - Returns: seconds for 400 computations.
    private static func threads(_ count: Int) async throws -> Double {
        try await seconds {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<count {
                    group.addTask { for number in 0..<(400 / count) { try Computation(number: number).compute() } }
                }
                try await group.waitForAll()
            }
        }
    }

    /// - Returns: seconds for a thousand jobs, the start of the children included.
    private static func drain(concurrency: Int) async throws -> Double {
        try await withDirectory { directory in
            let client = try await Client(.sqlite(directory.appendingPathComponent("jobs.db").path))
            try await client.enqueue(contentsOf: (0..<1_000).map { Computation(number: $0) })
            var configuration = Worker.Configuration()
            configuration.concurrency = concurrency
            configuration.drain = true
            let worker = try Worker(
                client, jobs: jobs, configuration: configuration,
                logger: Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() })
            let elapsed = try await seconds { try await worker.run() }
            await client.close()
            return elapsed
        }
    }

    private static func check(_ outcome: Outcome) throws {
        guard outcome == .completed(result: nil) else { throw Failure("not completed: \(outcome)") }
    }
}
