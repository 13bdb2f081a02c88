import Foundation
import GRDB
import MartletCore
import MartletPostgres
import MartletStore
import MartletTestSupport
import Testing

@testable import Martlet

/// The same input is refused, under the same name, or kept, whoever brings it: the Swift client on both engines, SQL on both.
@Suite struct BadInputTests {
    struct Input: Sendable {
        var kind = "k"
        var queue = "default"
        var priority = 5
        var args = "{}"
        var maxAttempts: Int?
        var timeout: Int64?
        /// Nil: it can be used.
        var field: String?
        /// SQLite has no means to see it.
        var isSeenBySQLite = true
    }

    static let inputs: [Input] = [
        Input(), Input(kind: String(repeating: "k", count: 128)), Input(kind: "A-b_c.d:e/f"),
        Input(kind: "", field: "kind"), Input(kind: String(repeating: "k", count: 129), field: "kind"),
        Input(kind: String(repeating: "k", count: 100_000), field: "kind"), Input(kind: "a b", field: "kind"),
        Input(kind: "é", field: "kind"), Input(kind: "-a", field: "kind"), Input(kind: "a\n", field: "kind"),
        Input(kind: "a';--", field: "kind"),
        Input(queue: String(repeating: "q", count: 128)), Input(queue: "", field: "queue"),
        Input(queue: String(repeating: "q", count: 129), field: "queue"), Input(queue: "a\tb", field: "queue"),
        Input(priority: 0), Input(priority: 9), Input(priority: -1, field: "priority"),
        Input(priority: 10, field: "priority"),
        Input(maxAttempts: 1), Input(maxAttempts: 1_000), Input(maxAttempts: 0, field: "max_attempts"),
        Input(maxAttempts: 1_001, field: "max_attempts"),
        Input(timeout: 1), Input(timeout: 3_153_600_000_000), Input(timeout: 0, field: "timeout"),
        Input(timeout: -1, field: "timeout"), Input(timeout: 3_153_600_000_001, field: "timeout"),
        Input(args: #"{"a":1,"b":[{"a":1},{"a":null}],"c":{"a":"\\u0000"}}"#), Input(args: "null"), Input(args: "1e308"),
        Input(args: "1e-400"), Input(args: #""\ud83d\ude00""#), Input(args: #"{"a":"null","b":null}"#),
        Input(args: "\"\(String(repeating: "x", count: Limits.argsBytes - 2))\""),
        Input(args: "\"\(String(repeating: "x", count: Limits.argsBytes - 1))\"", field: "args"),
        Input(args: String(repeating: "[", count: 128) + String(repeating: "]", count: 128)),
        Input(args: String(repeating: "[", count: 129) + String(repeating: "]", count: 129), field: "args"),
        Input(args: String(repeating: "{\"a\":", count: 129) + "1" + String(repeating: "}", count: 129), field: "args"),
        Input(args: String(repeating: "[", count: 20_000) + String(repeating: "]", count: 20_000), field: "args"),
        Input(args: "", field: "args"), Input(args: "{", field: "args"), Input(args: "{} {}", field: "args"),
        Input(args: "{'a': 1}", field: "args"), Input(args: "[1,]", field: "args"), Input(args: "01", field: "args"),
        Input(args: "NaN", field: "args"), Input(args: "\"a\nb\"", field: "args"), Input(args: "// no", field: "args"),
        Input(args: #""\u0000""#, field: "args"), Input(args: #"{"a":["b\\\u0000"]}"#, field: "args"),
        Input(args: #"{"\u0000":1}"#, field: "args"),
        Input(args: #"{"a":1,"a":1}"#, field: "args"), Input(args: #"{"a":null,"a":1}"#, field: "args"),
        Input(args: #"[{"b":{"a":1,"\u0061":2}}]"#, field: "args"),
        Input(args: "1e309", field: "args"), Input(args: "[-1e999999]", field: "args"),
        Input(args: String(repeating: "9", count: 310), field: "args"),
        Input(args: #""\ud83d""#, field: "args", isSeenBySQLite: false),
    ]

    @Test(arguments: Engine.allCases)
    func `by the Swift client`(_ engine: Engine) async throws {
        try await withStore(engine) { fixture in
            for input in Self.inputs {
                await expect(input, by: "Swift") {
                    let job = try NewJob(
                        kind: input.kind, args: JSONText(validating: input.args), queue: input.queue,
                        priority: Priority(validating: input.priority), maxAttempts: input.maxAttempts,
                        timeout: input.timeout.map { .milliseconds($0) })
                    _ = try await fixture.store.enqueue([job])
                } refused: {
                    ($0 as? InvalidInput)?.field
                }
            }
            try await expectKept(fixture.store, Self.inputs.filter { $0.field == nil })
        }
    }

    @Test func `by SQL on PostgreSQL`() async throws {
        try await withPostgresSchema { schema in
            for input in Self.inputs {
                func quoted(_ text: String) -> String { "'\(text.replacing("'", with: "''"))'" }
                var call = "enqueue(\(quoted(input.kind)), \(quoted(input.args)), \(quoted(input.queue)), \(input.priority)"
                if let attempts = input.maxAttempts { call += ", max_attempts => \(attempts)" }
                if let timeout = input.timeout { call += ", timeout => \(timeout) * interval '1 millisecond'" }
                await expect(input, by: "SQL") {
                    try schema.psql("\\set VERBOSITY verbose\nselect \(call));")
                } refused: { error in
                    let text = "\(error)"
                    guard let range = text.firstRange(of: "ERROR:  22023: ") else { return nil }
                    return String(text[range.upperBound...].prefix { $0 != ":" })
                }
            }
            let store = try await PostgresStore.open(schema.options)
            try await expectKept(store, Self.inputs.filter { $0.field == nil })
            await store.close()
        }
    }

    @Test func `by SQL on SQLite`() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.appendingPathComponent("app.db").path
            let client = try await Client(.sqlite(path))
            let application = try DatabaseQueue(path: path)
            let inputs = Self.inputs.filter(\.isSeenBySQLite)
            for input in inputs {
                let values: StatementArguments = [
                    input.kind, input.args, input.queue, input.priority, input.maxAttempts, input.timeout,
                ]
                await expect(input, by: "the view") {
                    try await application.write { db in
                        try db.execute(
                            sql: """
                                insert into martlet_enqueue (kind, args, queue, priority, max_attempts, timeout_ms)
                                values (?, ?, ?, ?, ?, ?)
                                """, arguments: values)
                    }
                } refused: { error in
                    let field = (error as? DatabaseError)?.message?.prefix { $0 != ":" }
                    return field.map { $0 == "timeout_ms" ? "timeout" : String($0) }
                }
            }
            try application.close()
            try await expectKept(client.store, inputs.filter { $0.field == nil })
            await client.close()
        }
    }

    @Test func `a typed job's NUL is refused with its place, and what only looks like one is not`() async throws {
        struct Note: Job, Codable {
            static let kind = "note"
            let text: String
            func run(_ context: JobContext) async throws {}
        }
        try await withClient { client in
            let refused = await #expect(throws: InvalidInput.self) { try await client.enqueue(Note(text: "a\0b")) }
            #expect(refused?.field == "args")
            #expect(refused?.reason.contains("at byte 10") == true, "\(refused?.reason ?? "")")
            try await client.enqueue(Note(text: #"\u0000"#))
        }
    }

    private func expect(
        _ input: Input, by whom: String, _ enqueue: () async throws -> some Any, refused: (any Error) -> String?
    ) async {
        do {
            _ = try await enqueue()
            #expect(input.field == nil, "\(whom) took \(String("\(input)".prefix(300)))")
        } catch {
            #expect(
                input.field == refused(error),
                "\(whom): \(String("\(input)".prefix(300))): \(String("\(error)".prefix(300)))")
        }
    }

    /// What was taken is there as it was given.
    private func expectKept(_ store: any JobStore, _ inputs: [Input]) async throws {
        let jobs = try await store.list(JobQuery(limit: 1_000)).jobs.reversed() as [JobSummary]
        #expect(jobs.map(\.args.string) == inputs.map(\.args))
        #expect(jobs.map(\.kind) == inputs.map(\.kind))
        #expect(jobs.map(\.queue) == inputs.map(\.queue))
        #expect(jobs.map(\.priority.rawValue) == inputs.map(\.priority))
        for (job, input) in zip(jobs, inputs) {
            #expect(try await store.job(job.id)?.timeout == input.timeout.map { .milliseconds($0) })
        }
    }
}
