import Foundation
import Glibc
@testable import Martlet
import MartletTestSupport
import Testing

/// What a worker asks of job types that run in child processes. This program never calls `runAsChild`.
@Suite struct ChildTests {
    private struct Apart: Job {
        static let kind = "apart"
        static let executor = Executor.process
        func run(_ context: JobContext) async throws {}
    }

    private struct Alias: Job {
        static let kind = "alias"
        static let user: String? = "nobody"
        func run(_ context: JobContext) async throws {}
    }

    private struct Private: Job {
        static let kind = "private"
        static let environment: ChildEnvironment = ["API_TOKEN"]
        func run(_ context: JobContext) async throws {}
    }

    private func refusal(_ job: any Job.Type) async throws -> InvalidInput? {
        try await withTemporaryDirectory { directory -> InvalidInput? in
            let client = try await Client(.sqlite(directory.appendingPathComponent("jobs.db").path))
            defer { Task { await client.close() } }
            do throws(InvalidInput) {
                _ = try Worker(client, jobs: [job])
                return nil
            } catch {
                return error
            }
        }
    }

    @Test func `a worker whose children would run the whole program again is refused, and says what to call`() async throws {
        let error = try #require(try await refusal(Apart.self))
        #expect(error.field == "jobs")
        #expect(error.reason.contains("apart runs in child processes, which are this program started again"))
        #expect(error.reason.contains("call `await Worker.runAsChild(jobs: [Apart.self])` first thing in main"))
    }

    @Test func `a job type that was left out of runAsChild is named`() {
        let kinds = ChildKinds()
        kinds.add(["other"])
        let error = #expect(throws: InvalidInput.self) { try kinds.check(Apart.self) }
        #expect(error?.reason.contains("name Apart.self in `Worker.runAsChild(jobs:)`, too") == true)
        kinds.add(["apart"])
        #expect(throws: Never.self) { try kinds.check(Apart.self) }
        #expect(throws: Never.self) { try kinds.check(Alias.self) }
    }

    @Test func `conditions of a process of its own are refused for jobs that have none`() async throws {
        #expect(try await refusal(Alias.self)?.field == "user")
        #expect(try await refusal(Private.self)?.field == "environment")
    }
}
