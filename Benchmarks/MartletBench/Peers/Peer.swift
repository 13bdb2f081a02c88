import Foundation

/// Another queue, driven through its own public interface by a program in `Benchmarks/peers`, which says how it is set up.
struct Peer: Sendable {
    let name: String
    /// How many are drained at a time: some seconds of work, since rates are compared.
    let jobs: Int
    /// How many drain one queue at a time; each is reported, and the best one counts.
    var processes = [1]
    /// SQL that counts what is not settled yet.
    var unsettled: String?

    static let postgres = [
        Peer(name: "pgqueuer", jobs: 100_000, processes: [1, 2], unsettled: "select count(*) from pgqueuer"),
        Peer(
            name: "procrastinate", jobs: 3_000, processes: [1, 2],
            unsettled: "select count(*) from procrastinate_jobs where status in ('todo', 'doing')"),
        Peer(name: "saq", jobs: 6_000, processes: [1, 2], unsettled: "select count(*) from saq_jobs"),
    ]

    static let huey = Peer(name: "huey", jobs: 10_000)

    /// What its program prints: see `peer.py`.
    struct Answer: Decodable {
        let peer: String
        let version: String
        let keeps: String
        let begin: UInt64?
        let end: UInt64?
        let jobs: Int?
        let milliseconds: [Double]?
    }

    /// A peer, by the name it gives itself, with its version and what it keeps of jobs that have ended.
    func install(_ database: String) async throws -> String {
        let answer = try await ask(database, "install")
        return "\(answer.peer) \(answer.version), keeps \(answer.keeps)"
    }

    /// - Returns: jobs per second.
    func enqueue(_ database: String) async throws -> Double {
        try Self.rate([try await ask(database, "enqueue", jobs)], jobs: jobs)
    }

    /// - Returns: jobs per second, from the first process's begin to the end of the last job.
    func drain(_ database: String, processes: Int) async throws -> Double {
        let answers = try await withThrowingTaskGroup(of: Answer.self) { group in
            for _ in 0..<processes { group.addTask { try await ask(database, "drain", jobs) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        return try Self.rate(answers, jobs: jobs)
    }

    /// - Returns: milliseconds of each job.
    func pickUp(_ database: String, jobs: Int) async throws -> [Double] {
        let delays = try await ask(database, "latency", jobs).milliseconds ?? []
        guard delays.count == jobs else { throw Failure("\(name) picked up \(delays.count) of \(jobs) jobs") }
        return delays
    }

    private static func rate(_ answers: [Answer], jobs: Int) throws -> Double {
        // One that came too late for any is no part of it.
        let busy = answers.filter { ($0.jobs ?? 0) > 0 }
        let done = busy.reduce(0) { $0 + ($1.jobs ?? 0) }
        guard done == jobs, let begin = busy.compactMap(\.begin).min(), let end = busy.compactMap(\.end).max(), end > begin
        else { throw Failure("\(done) of \(jobs) jobs in no time") }
        return Double(jobs) / (Double(end - begin) / 1e9)
    }

    private func ask(_ database: String, _ verb: String, _ count: Int? = nil) async throws -> Answer {
        let root = URL(fileURLWithPath: FileManager.default.currentDirectoryPath)
        let python = root.appendingPathComponent(".build/peers/bin/python")
        guard FileManager.default.isExecutableFile(atPath: python.path) else {
            throw Failure("no \(python.path); make peers installs the peers there")
        }
        let script = root.appendingPathComponent("Benchmarks/peers/\(name)_peer.py").path
        let words = ["-B", script, database, verb] + (count.map { ["\($0)"] } ?? [])
        let output = try await withDirectory { try await Programs.output(python, words, in: $0) }
        return try JSONDecoder().decode(Answer.self, from: Data(output.utf8))
    }
}
