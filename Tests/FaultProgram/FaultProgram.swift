import Foundation
import Glibc
import Logging
import Martlet

/// A program of a user's whose jobs are as bad as jobs can be. The fault suite starts it, and so does `make bench`.
///
/// ```
/// FaultProgram enqueue GOOD THROWING TRAPPING HANGING LEAKING
/// FaultProgram work CONCURRENCY            until nothing is left, or with STAY until a signal comes
/// FaultProgram crowd JOBS                  enqueues one that traps, and jobs that wait for a moment beside it
/// FaultProgram hoard JOBS                  enqueues jobs that leak 10 MB each in the worker; MAX_MEMORY limits it, in MiB
/// FaultProgram compute JOBS CONCURRENCY    prints how many seconds they took
/// FaultProgram probe ACT PATH              one small job, until nothing is left
/// ```
/// `FAULT_EXECUTOR` is where the bad ones run, `DATABASE` where all of them wait.
@main struct FaultProgram {
    static let jobs: [any Job.Type] = [
        Good.self, Throwing.self, Trapping.self, Hanging.self, Leaking.self, Computing.self, Probing.self, Hoarding.self,
        Waiting.self,
    ]

    static func main() async throws {
        await Worker.runAsChild(jobs: jobs)
        let words = CommandLine.arguments.dropFirst()
        let numbers = words.dropFirst().compactMap { Int($0) }
        let url = ProcessInfo.processInfo.environment["DATABASE"] ?? "jobs.db"
        let client = try await Client(url.hasPrefix("postgres:") ? .postgres(url) : .sqlite(url))
        switch words.first {
        case "enqueue": try await enqueue(client, numbers)
        case "work": try await work(client, concurrency: numbers[0])
        case "crowd":
            try await client.enqueue(Trapping(number: 0))
            try await client.enqueue(contentsOf: (0..<numbers[0]).map { Waiting(number: $0) })
        case "hoard": try await client.enqueue(contentsOf: (0..<numbers[0]).map { Hoarding(number: $0) })
        case "compute": try await compute(client, jobs: numbers[0], concurrency: numbers[1])
        case "probe":
            let words = Array(words)
            try await client.enqueue(Probing(act: Probing.Act(rawValue: words[1])!, path: words[2]))
            try await work(client, concurrency: 1)
        case let other: fatalError("unknown order \(other ?? "")")
        }
        await client.close()
    }

    /// Mixed, so that good ones and bad ones always run beside each other.
    private static func enqueue(_ client: Client, _ counts: [Int]) async throws {
        var mixed: [(place: Double, job: NewJob)] = []
        for (kind, count) in zip(["good", "throwing", "trapping", "hanging", "leaking"], counts) {
            for number in 0..<count {
                let job = try NewJob(kind: kind, args: JSONText(trusted: Array("{\"number\":\(number)}".utf8)))
                mixed.append((Double(number) / Double(count), job))
            }
        }
        let ids = try await client.enqueue(mixed.sorted { $0.place < $1.place }.map(\.job))
        print(ids.count)
    }

    private static func work(_ client: Client, concurrency: Int) async throws {
        var configuration = Worker.Configuration()
        configuration.concurrency = concurrency
        configuration.drain = ProcessInfo.processInfo.environment["STAY"] == nil
        configuration.lease = .seconds(5)
        configuration.environment = ["FAULT_*"]
        if let mebibytes = ProcessInfo.processInfo.environment["MAX_MEMORY"].flatMap({ Int($0) }) {
            configuration.maxMemory = mebibytes << 20
        }
        let worker = try Worker(
            client, jobs: jobs, configuration: configuration,
            logger: Logger(label: "faults") { StreamLogHandler.standardError(label: $0) })
        do {
            try await worker.run(stoppingOn: [.sigterm])
        } catch let excess as MemoryExceeded {
            FileHandle.standardError.write(Data("\(excess)\n".utf8))
            await client.close()
            exit(75)
        }
    }

    private static func compute(_ client: Client, jobs count: Int, concurrency: Int) async throws {
        try await client.enqueue(contentsOf: (0..<count).map { Computing(number: $0) })
        let begun = ContinuousClock.now
        try await work(client, concurrency: concurrency)
        print((ContinuousClock.now - begun) / .seconds(1))
    }
}

/// Where the bad ones run.
let badExecutor = Executor(rawValue: ProcessInfo.processInfo.environment["FAULT_EXECUTOR"] ?? "process")!
/// A bad job has one chance; a crash of its worker is no attempt, and there are three of those.
let once = RetryPolicy(maxAttempts: 1, backoff: .delays([.milliseconds(100)]), jitter: 0)

struct Good: Job {
    static let kind = "good"
    let number: Int

    func run(_ context: JobContext) async throws {
        try await Task.sleep(for: .milliseconds(5))
    }
}

struct Waiting: Job {
    static let kind = "waiting"
    let number: Int

    func run(_ context: JobContext) async throws {
        try await Task.sleep(for: .milliseconds(200))
    }
}

struct Throwing: Job {
    static let kind = "throwing"
    static let retry = once
    let number: Int

    func run(_ context: JobContext) async throws { throw Refusal.number(number) }

    enum Refusal: Error { case number(Int) }
}

struct Trapping: Job {
    static let kind = "trapping"
    static let retry = once
    static let executor = badExecutor
    let number: Int

    func run(_ context: JobContext) async throws { fatalError("trap number \(number)") }
}

/// Does not listen to its cancellation.
struct Hanging: Job {
    static let kind = "hanging"
    static let retry = once
    static let executor = badExecutor
    static let timeout: Duration? = .milliseconds(500)
    static let concurrency: Int? = 8
    let number: Int

    func run(_ context: JobContext) async throws {
        // As a coroutine it holds nothing but its slot; in a process of its own also the processor.
        if Self.executor == .coroutine { await withUnsafeContinuation { (_: UnsafeContinuation<Void, Never>) in } }
        while getpid() > 0 { usleep(100) }
    }
}

struct Leaking: Job {
    static let kind = "leaking"
    static let retry = once
    static let executor = badExecutor
    static let limits = badExecutor == .process ? ProcessLimits(memory: 200 << 20) : .none
    let number: Int

    func run(_ context: JobContext) async throws {
        var hoard: [[UInt8]] = []
        while getpid() > 0 { hoard.append([UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 4 << 20)) }
        print(hoard.count)
    }
}

/// About ten milliseconds of a processor.
struct Computing: Job {
    static let kind = "computing"
    static let executor = Executor.process
    static let concurrency: Int? = 64
    let number: Int

    func run(_ context: JobContext) async throws {
        var value = UInt64(number) | 1
        for _ in 0..<rounds { value = value &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407 }
        guard value != 0 else { throw Retry(after: .zero, "never") }
    }
}

let rounds = Int(ProcessInfo.processInfo.environment["FAULT_ROUNDS"] ?? "") ?? 10_000_000

/// Keeps what it takes for as long as the process lives.
struct Hoarding: Job {
    static let kind = "hoarding"
    static let concurrency: Int? = 2
    let number: Int

    func run(_ context: JobContext) async throws {
        let block = UnsafeMutableRawPointer.allocate(byteCount: 10_000_000, alignment: 16)
        block.initializeMemory(as: UInt8.self, repeating: 1, count: 10_000_000)
        try await Task.sleep(for: .milliseconds(100))
    }
}
