import Foundation
import Glibc
import MartletCore
import MartletPostgres
import MartletStore
import MartletTestSupport
import Testing

/// An open store in a schema of its own.
func withStore(_ body: (PostgresStore, PostgresSchema) async throws -> Void) async throws {
    try await withPostgresSchema { schema in
        let store = try await PostgresStore.open(schema.options)
        do {
            try await body(store, schema)
        } catch {
            await store.close()
            throw error
        }
        await store.close()
    }
}

extension PostgresStore {
    func enqueue(_ kind: String = "work", count: Int = 1) async throws -> [JobID] {
        try await enqueue(Array(repeating: NewJob(kind: kind), count: count))
    }

    func claimed(_ worker: WorkerID, limit: Int = 100) async throws -> [JobID] {
        try await claim(.testing(worker, limit: limit)).flatMap(\.jobs).map(\.id)
    }
}

extension PostgresSchema {
    /// How many pages a call reads: the least of three, behind one that is not counted. The first of a session also reads the
    /// catalogs, and so does any for which others who make tables have left no room.
    /// - Parameters:
    ///   - kept: what the four calls do.
    ///   - before: what is done before each of them.
    func pages(_ call: String, kept: Bool = true, before: String = "") throws -> Int {
        let end = kept ? "commit;" : "rollback;"
        let counted = "explain (analyze, buffers, timing off, summary off) \(call)"
        let plans = try psql(
            "\(before) begin; \(call); \(end)"
                + String(repeating: "\(before) begin; select 'plan'; \(counted); \(end)", count: 3))
        let counts = try plans.split(separator: "plan\n", omittingEmptySubsequences: false).dropFirst().map { plan in
            let line = try #require(plan.split(separator: "\n").first { $0.contains("Buffers:") })
            return line.matches(of: #/(?:hit|read)=(\d+)/#).compactMap { Int($0.output.1) }.reduce(0, +)
        }
        try #require(counts.count == 3)
        return counts.min()!
    }
}

/// A psql that stays open, for transactions that last: what it answers can be waited for.
final class Session {
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()

    convenience init(_ schema: PostgresSchema, user: String = "postgres") throws {
        try self.init(schema.server, user: user)
        _ = try run("set search_path = \(schema.quoted), pg_temp;")
    }

    init(_ server: PostgresServer, user: String = "postgres") throws {
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["psql", "-X", "-q", "-A", "-t", "-d", server.url(user: user)]
        process.standardInput = input
        process.standardOutput = output
        try process.run()
    }

    /// Returns when the server has answered.
    @discardableResult
    func run(_ sql: String) throws -> String {
        try answer(to: try send(sql))
    }

    /// - Returns: what to wait for with ``answer(to:)``.
    func send(_ sql: String) throws -> String {
        let mark = "done-\(UUID().uuidString)"
        try input.fileHandleForWriting.write(contentsOf: Data("\(sql)\n\\echo \(mark)\n".utf8))
        return mark
    }

    func answer(to mark: String) throws -> String {
        var answer = ""
        while !answer.contains(mark) {
            let more = output.fileHandleForReading.availableData
            guard !more.isEmpty else { throw SessionEnded() }
            answer += String(decoding: more, as: UTF8.self)
        }
        return answer.replacing("\(mark)\n", with: "").trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Says so rather than only close the pipe: a process that another thread started just then may hold it open.
    func end() throws {
        try input.fileHandleForWriting.write(contentsOf: Data("\\q\n".utf8))
        try input.fileHandleForWriting.close()
        process.waitUntilExit()
    }

    /// Drops the connection, whatever it is at.
    func kill() {
        Glibc.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    var pid: pid_t { process.processIdentifier }
}

struct SessionEnded: Error {}
