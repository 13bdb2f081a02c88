import Foundation
import Glibc
import Martlet
import Synchronization

/// Waits, as a run that calls something slow does.
struct Waiting: Job, Codable {
    static let kind = "waiting"
    static let timeout: Duration? = .seconds(600)
    let milliseconds: Int

    func run(_ context: JobContext) async throws {
        InFlight.started()
        defer { InFlight.ends.add(1, ordering: .relaxed) }
        do {
            try await Task.sleep(for: .milliseconds(milliseconds))
        } catch {
            InFlight.cancelledAt.withLock { $0 = .now }
            throw error
        }
    }
}

/// Very many jobs that wait at the same time, in a process of their own whose memory and threads are counted.
enum InFlight {
    struct Report: Codable {
        /// Runs started per second, from the first to the last.
        var startRate: Double
        /// Most threads at any time while jobs wait.
        var threads: Int
        /// Most resident memory at any time.
        var mebibytes: Double
        /// From the end of `martlet jobs cancel` to the cancellation of the run.
        var cancelSeconds: Double
        var completed: Int
        var cancelled: Int
    }

    static let cancelledAt = Mutex<ContinuousClock.Instant?>(nil)
    static let ends = Atomic(0)
    private static let starts = Mutex((count: 0, first: ContinuousClock.now, last: ContinuousClock.now))

    static func started() {
        starts.withLock { starts in
            starts.last = .now
            if starts.count == 0 { starts.first = starts.last }
            starts.count += 1
        }
    }

    static func run(_ bench: Bench) async throws {
        let count = 200_000
        let report = try await withDirectory { directory in
            let database = directory.appendingPathComponent("bench.db").path
            let client = try await Client(.sqlite(database))
            for _ in 0..<count / Limits.enqueueBatch {
                try await client.enqueue(
                    contentsOf: [Waiting](repeating: Waiting(milliseconds: 60_000), count: Limits.enqueueBatch))
            }
            await client.close()
            let text = try await Programs.output(
                URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath(), ["inflight", database, "\(count)"],
                in: directory)
            return try JSONDecoder().decode(Report.self, from: Data(text.utf8))
        }
        guard report.completed + report.cancelled == count, report.cancelled == 1 else {
            throw Failure("\(report.completed) completed and \(report.cancelled) cancelled of \(count)")
        }
        bench.report("200 000 jobs waiting at once: starts", "jobs/s", [report.startRate], atLeast: 50_000)
        bench.report("  threads", "", [Double(report.threads)], atMost: 10)
        bench.report("  resident memory", "MiB", [report.mebibytes], atMost: 1_024)
        bench.report("  a person's cancel meanwhile", "s", [report.cancelSeconds], atMost: 2)
    }

    /// The process of its own. Not on the main actor, which would keep a thread beside the worker's.
    @concurrent
    static func hold(_ database: String, jobs: Int) async throws {
        let client = try await Client(.sqlite(database))
        var configuration = Worker.Configuration()
        configuration.concurrency = jobs
        configuration.drain = true
        let worker = try Worker(client, jobs: [Waiting.self], configuration: configuration, logger: Load.logger)
        let running = Task.detached { try await worker.run() }
        let counting = Task.detached {
            var most = 0
            while Self.ends.load(ordering: .relaxed) < jobs {
                most = max(most, try Self.threads())
                try await Task.sleep(for: .milliseconds(20))
            }
            return most
        }
        while starts.withLock({ $0.count }) < jobs { try await Task.sleep(for: .milliseconds(50)) }
        try await Programs.run(["jobs", "cancel", "7"], database: "sqlite:\(database)")
        let asked = ContinuousClock.now
        try await running.value
        let threads = try await counting.value
        let (count, first, last) = starts.withLock { $0 }
        let directory = URL(fileURLWithPath: database).deletingLastPathComponent()
        let counts = try await Programs.output(Programs.martlet, ["stats", "--json"], in: directory)
        guard let cancelledAt = cancelledAt.withLock({ $0 }) else { throw Failure("the cancel never arrived: \(counts)") }
        let report = Report(
            startRate: Double(count) / (last - first).seconds, threads: threads, mebibytes: try Self.peakMebibytes(),
            cancelSeconds: max((cancelledAt - asked).seconds, 0), completed: try Self.number("completed", counts),
            cancelled: try Self.number("cancelled", counts))
        print(String(decoding: try JSONEncoder().encode(report), as: UTF8.self))
        await client.close()
    }

    private static func threads() throws -> Int { Int(try status("Threads:"))! }

    private static func peakMebibytes() throws -> Double { Double(try status("VmHWM:"))! / 1_024 }

    private static func status(_ name: String) throws -> Substring {
        let text = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let line = text.split(separator: "\n").first { $0.hasPrefix(name) }!
        return line.split(whereSeparator: \.isWhitespace)[1]
    }

    private static func number(_ name: String, _ json: String) throws -> Int {
        let object = try JSONSerialization.jsonObject(with: Data(json.utf8))
        guard let counts = find("counts", in: object) ?? object as? [String: Any], let number = counts[name] as? Int else {
            throw Failure("no \(name) in \(json)")
        }
        return number
    }

    private static func find(_ key: String, in object: Any) -> [String: Any]? {
        (object as? [String: Any])?[key] as? [String: Any]
    }
}
