import Foundation
import GRDB
import MartletCore
import MartletStore
import MartletTestSupport
import Testing

@testable import Martlet

/// The statement that an application's own client runs in the application's own transaction.
@Suite struct EnqueueStatementTests {
    struct Resize: Job, Codable {
        static let kind = "resize"
        let file: String
        func run(_ context: JobContext) async throws {}
    }

    static func plain(_ dialect: EnqueueStatement.Dialect) throws -> EnqueueStatement {
        try EnqueueStatement(Resize(file: "it's \"a\".png"), for: dialect)
    }

    static func full(_ dialect: EnqueueStatement.Dialect) throws -> EnqueueStatement {
        try EnqueueStatement(
            Resize(file: "b.png"), queue: "images", priority: 2, in: .seconds(90), maxAttempts: 3,
            timeout: .milliseconds(1_500), expires: .after(.seconds(3_600)), for: dialect)
    }

    @Test func `on PostgreSQL it is there after a commit and not after a rollback`() async throws {
        try await withPostgresSchema { schema in
            let dialect = EnqueueStatement.Dialect.postgres(schema: schema.name)
            for end in ["rollback", "commit"] {
                for statement in [try Self.plain(dialect), try Self.full(dialect)] {
                    let values = statement.parameters.map { "'\($0.replacing("'", with: "''"))'" }.joined(separator: ", ")
                    try schema.server.psql("prepare job as \(statement.sql); begin; execute job(\(values)); \(end);")
                }
            }
            try await expectBoth(try await open(schema))
        }
    }

    @Test func `on SQLite it is there after a commit and not after a rollback`() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.appendingPathComponent("app.db").path
            let client = try await Client(.sqlite(path))
            let application = try DatabaseQueue(path: path)
            struct Rollback: Error {}
            for isKept in [false, true] {
                do {
                    try await application.write { db in
                        for statement in [try Self.plain(.sqlite), try Self.full(.sqlite)] {
                            try db.execute(sql: statement.sql, arguments: StatementArguments(statement.parameters))
                        }
                        if !isKept { throw Rollback() }
                    }
                } catch is Rollback {}
            }
            try application.close()
            try await expectBoth(client.store)
            await client.close()
        }
    }

    @Test(arguments: [EnqueueStatement.Dialect.postgres(), .sqlite])
    func `what cannot be used is refused when it is made`(_ dialect: EnqueueStatement.Dialect) async {
        func make(_ file: String = "a", queue: String = "q", priority: Int = 5, attempts: Int = 1) throws -> EnqueueStatement
        {
            try EnqueueStatement(Resize(file: file), queue: queue, priority: priority, maxAttempts: attempts, for: dialect)
        }
        await expectInvalid("queue") { try make(queue: "a b") }
        await expectInvalid("priority") { try make(priority: 10) }
        await expectInvalid("max_attempts") { try make(attempts: 0) }
        await expectInvalid("args") { try make("a\0b") }
        await expectInvalid("args") { try make(String(repeating: "x", count: Limits.argsBytes)) }
        await expectInvalid("at") {
            try EnqueueStatement(Resize(file: "a"), in: .seconds(1), at: Timestamp(microseconds: 1), for: dialect)
        }
    }

    @Test func `a time long past is due at once, a far one is kept to the second`() async throws {
        let far = Timestamp(microseconds: 253_402_300_000_000_000)
        try await withPostgresSchema { schema in
            for time in [Limits.scheduleAt.lowerBound, far] {
                let statement = try EnqueueStatement(Resize(file: "a"), at: time, for: .postgres(schema: schema.name))
                let values = statement.parameters.map { "'\($0)'" }.joined(separator: ", ")
                try schema.server.psql("prepare job as \(statement.sql); execute job(\(values));")
            }
            try await expectTimes(try await open(schema), far)
        }
        try await withTemporaryDirectory { directory in
            let path = directory.appendingPathComponent("app.db").path
            let client = try await Client(.sqlite(path))
            let application = try DatabaseQueue(path: path)
            for time in [Limits.scheduleAt.lowerBound, far] {
                let statement = try EnqueueStatement(Resize(file: "a"), at: time, for: .sqlite)
                try await application.write { db in
                    try db.execute(sql: statement.sql, arguments: StatementArguments(statement.parameters))
                }
            }
            try application.close()
            try await expectTimes(client.store, far)
            await client.close()
        }
    }

    private func open(_ schema: PostgresSchema) async throws -> any JobStore {
        let client = try await Client(.postgres(schema.server.url(), schema: schema.name))
        return client.store
    }

    private func expectBoth(_ store: any JobStore) async throws {
        let jobs = try await store.list(JobQuery()).jobs.reversed() as [JobSummary]
        try #require(jobs.count == 2)
        #expect(jobs.map(\.kind) == ["resize", "resize"])
        #expect(jobs.map(\.args.string) == [#"{"file":"it's \"a\".png"}"#, #"{"file":"b.png"}"#])
        #expect(jobs.map(\.state) == [.available, .scheduled])
        #expect(jobs.map(\.queue) == ["default", "images"])
        #expect(jobs.map(\.priority.rawValue) == [5, 2])
        #expect(jobs[1].maxAttempts == 3)
        #expect(try await store.job(jobs[1].id)?.timeout == .milliseconds(1_500))
        let delay = try #require(jobs[1].runAt) - jobs[1].enqueuedAt
        #expect(abs((delay - .seconds(90)).inSeconds) < 1, "\(delay)")
    }

    private func expectTimes(_ store: any JobStore, _ far: Timestamp) async throws {
        let jobs = try await store.list(JobQuery()).jobs
        #expect(jobs.map(\.state) == [.scheduled, .available])
        let kept = try #require(jobs.first?.runAt)
        #expect(abs((kept - far).inSeconds) < 1, "\(kept)")
    }
}
