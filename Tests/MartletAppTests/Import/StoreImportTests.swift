import MartletCore
import MartletStore
import MartletTestSupport
import Testing

@testable import MartletApp

/// Imports into the stores people use.
struct StoreImportTests {
    @Test(arguments: Engine.allCases)
    func `an import that fails and goes on enqueues each line exactly once`(engine: Engine) async throws {
        try await withStore(engine) { fixture in
            var lines = (1...12_345).map { "{\"n\":\($0)}" }
            lines[7_000] = "{\"n\":7001,}"
            let failed = try await failure { _ = try await Self.run(lines, 1, fixture.store) }
            #expect(failed.line == 7_001 && failed.resumeLine == 5_001 && failed.done.enqueued == 5_000)
            #expect(try await fixture.store.stats().counts[.available] == 5_000)

            lines[7_000] = "{\"n\":7001}"
            let report = try await Self.run(lines, failed.resumeLine, fixture.store)
            #expect(report.enqueued == 7_345)
            let args = try await Self.allArgs(fixture.store)
            #expect(args == lines)
        }
    }

    @Test(arguments: Engine.allCases)
    func `what an envelope says is what the store keeps`(engine: Engine) async throws {
        try await withStore(engine) { fixture in
            let line = #"{"args":{"z": 1.0,"a":"\u00e9"},"queue":"mails","kind":"mail/send","priority":0,"in":"1h"}"#
            let file = try TemporaryFile(line)
            let report = try await Importer(file.source, format: .envelope, defaults: ImportDefaults(kind: "a"))
                .run(into: fixture.store)
            let id = try #require(report.firstID)
            let job = try #require(try await fixture.store.job(id)).summary
            #expect(job.args.string == #"{"z": 1.0,"a":"\u00e9"}"#)
            #expect(job.kind == "mail/send" && job.queue == "mails" && job.priority.rawValue == 0)
            #expect(job.state == .scheduled && job.runAt == job.enqueuedAt + .seconds(3_600))
        }
    }

    private static func run(_ lines: [String], _ startLine: Int, _ store: any JobStore) async throws -> ImportReport {
        let file = try TemporaryFile(lines.joined(separator: "\n"))
        return try await Importer(
            file.source, format: .ndjson, defaults: ImportDefaults(kind: "resize"), startLine: startLine
        ).run(into: store)
    }

    /// Oldest first.
    private static func allArgs(_ store: any JobStore) async throws -> [String] {
        var jobs: [JobSummary] = []
        var after: Int64?
        repeat {
            let page = try await store.list(JobQuery(limit: 1_000, after: after))
            jobs += page.jobs
            after = page.next
        } while after != nil
        return jobs.sorted { $0.id < $1.id }.map(\.args.string)
    }
}
