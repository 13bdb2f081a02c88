import Foundation
import GRDB
import MartletCore
import MartletPostgres
import MartletStore
import MartletTestSupport
import Testing

@testable import Martlet

/// What docs/enqueue-in-your-transaction.md shows works as it stands there.
@Suite struct TransactionDocTests {
    struct Confirm: Job, Codable {
        static let kind = "confirm"
        let mail: String
        func run(_ context: JobContext) async throws {}
    }

    private let text: String

    init() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        text = try String(contentsOf: root.appendingPathComponent("docs/enqueue-in-your-transaction.md"), encoding: .utf8)
    }

    private func block(_ language: String) throws -> String {
        let blocks = text.components(separatedBy: "```\(language)\n").dropFirst()
        try #require(blocks.count == 1)
        return blocks[blocks.startIndex].components(separatedBy: "\n```")[0]
    }

    @Test func `what is committed is there and what is rolled back is not, in SQL and in Python`() async throws {
        let server = try PostgresServer.shared()
        let database = try server.makeDatabase()
        let url = server.url(database: database)
        _ = try await PostgresStore.migrate(PostgresOptions(url: url))
        try server.psql(try block("sql"), database: database)
        #expect(
            try await python(try block("python"), ["DATABASE_URL": url]) == "job 3\nnothing done: the card was declined\n")

        let client = try await Client(.postgres(url))
        try await expect(client.store, ["a@example.com", "c@example.com"])
        #expect(
            try server.psql("select mail from orders order by id", database: database) == "a@example.com\nc@example.com\n")
        await client.close()
    }

    @Test func `what is committed is there and what is rolled back is not, on SQLite`() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.appendingPathComponent("app.db").path
            let client = try await Client(.sqlite(path))
            let application = try DatabaseQueue(path: path)
            try await application.writeWithoutTransaction { try $0.execute(sql: try block("sqlite")) }
            #expect(
                try await application.read { try String.fetchAll($0, sql: "select mail from orders") } == ["a@example.com"])
            try application.close()
            try await expect(client.store, ["a@example.com"])
            await client.close()
        }
    }

    @Test func `the statement is the one that is shown`() throws {
        let statement = try EnqueueStatement(Confirm(mail: "e@example.com"), queue: "mail")
        #expect(try block("swift").contains(#"EnqueueStatement(Confirm(mail: "e@example.com"), queue: "mail")"#))
        #expect(text.contains("\n\(statement.sql)\n"))
        #expect(statement.parameters == ["confirm", #"{"mail":"e@example.com"}"#, "mail"])
    }

    private func expect(_ store: any JobStore, _ mails: [String]) async throws {
        let jobs = try await store.list(JobQuery()).jobs.reversed()
        #expect(jobs.map(\.args.string) == mails.map { #"{"mail": "\#($0)"}"# })
        #expect(jobs.allSatisfy { $0.kind == "confirm" && $0.queue == "mail" && $0.state == .available })
    }

    /// - Returns: what it printed.
    private func python(_ script: String, _ environment: [String: String]) async throws -> String {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        process.arguments = ["-c", script]
        process.environment = environment
        process.standardOutput = output
        try process.run()
        let printed = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        return String(decoding: printed, as: UTF8.self)
    }
}
