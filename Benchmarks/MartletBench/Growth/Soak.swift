import Foundation
import Martlet

/// A worker that runs for long, in a process of its own, beside a producer: memory, database and its log are to stay as they
/// are once the first jobs' retention is over.
enum Soak {
    private static let pace = 2_000
    /// The shortest that segments of the log follow each other in is ten minutes; see docs/postgresql.md.
    private static let kept: Duration = .seconds(600)
    private static let step: Duration = .seconds(10)

    static func sqliteCase(_ bench: Bench) async throws { try await Ground.sqlite(bench) { try await run(bench, $0) } }

    static func postgresCase(_ bench: Bench) async throws { try await Ground.postgres(bench) { try await run(bench, $0) } }

    /// Most are done at once, some fail twice, some fail for good, some take a while and return something.
    struct Mixture: Job, Codable {
        static let kind = "mixture"
        static let retry = RetryPolicy.delays([.seconds(1), .seconds(2)])
        let number: Int
        var recipient = "somebody@example.com"
        var subject = "Your order has been shipped and will arrive soon"

        func run(_ context: JobContext) async throws -> String? {
            switch number % 100 {
            case 1 where context.attempt < 3: throw Failure("not yet: \(number)")
            case 2: throw Discard("cannot read record \(number)")
            case 3..<8:
                try await Task.sleep(for: .milliseconds(200))
                return "took a while: \(number)"
            default: return nil
            }
        }
    }

    private struct Sample {
        let memory: Double
        let data: Double
        let log: Double
    }

    private static func run(_ bench: Bench, _ ground: Ground) async throws {
        let client = try await ground.client()
        let worker = try Programs.start(
            URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath(), ["soak", ground.url],
            in: URL(fileURLWithPath: FileManager.default.currentDirectoryPath))
        defer {
            worker.terminate()
            worker.waitUntilExit()
        }
        let (begin, end) = (ContinuousClock.now, ContinuousClock.now + .seconds(bench.options.minutes * 60))
        var (sent, samples, next): (Int, [Sample], ContinuousClock.Instant) = (0, [], begin + step)
        while ContinuousClock.now < end {
            let due = Int((ContinuousClock.now - begin) / .seconds(1) * Double(pace))
            if due > sent {
                let batch = sent..<min(due, sent + Limits.enqueueBatch)
                try await client.enqueue(contentsOf: batch.map { Mixture(number: $0) })
                sent = batch.upperBound
            }
            if ContinuousClock.now >= next {
                guard worker.isRunning else { throw Failure("the worker ended with \(worker.terminationStatus)") }
                let size = try ground.size()
                samples.append(
                    Sample(
                        memory: try ProcessTime.residentMebibytes(worker.processIdentifier), data: size.data, log: size.log))
                next += step
            }
            try await Task.sleep(for: .milliseconds(50))
        }
        await client.close()
        report(bench, samples, sent: sent)
    }

    private static func report(_ bench: Bench, _ samples: [Sample], sent: Int) {
        bench.report("jobs in all", "jobs", [Double(sent)])
        for (name, value) in [
            ("memory of the worker", \Sample.memory), ("size of the database", \.data), ("size of its log", \.log),
        ] {
            let values = samples.map { $0[keyPath: value] }
            let third = max(values.count / 3, 1)
            let (middle, last) = (values.dropLast(third).suffix(third).max() ?? .nan, values.suffix(third).max() ?? .nan)
            bench.report("\(name), at its most, second third", "MiB", [middle])
            bench.report("\(name), at its most, last third", "MiB", [last])
            bench.report("  of the second", "×", [last / middle], atMost: 1.1)
            bench.draw("soak", name, x: values.indices.map { Double(($0 + 1) * 10) }, y: values)
        }
    }

    // MARK: The other process

    static func work(_ url: String) async throws {
        let client = try await Ground.client(url)
        var configuration = Worker.Configuration()
        configuration.keepCompleted = kept
        configuration.keepFailed = kept
        let worker = try Worker(client, jobs: [Mixture.self], configuration: configuration, logger: Load.logger)
        // Until its parent ends it.
        try await worker.run()
    }
}
