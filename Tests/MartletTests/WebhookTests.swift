import Logging
import MartletCore
import MartletStore
import Testing

@testable import Martlet

/// What of webhooks is this library's own; how calls go is tested where they are made.
@Suite struct WebhookTests {
    private func worker(_ webhook: Webhook) async throws {
        try await withClient { client in
            _ = try Worker(client, jobs: [Job.self], webhooks: [webhook], logger: .silent)
        }
    }

    private struct Job: Martlet.Job {
        static let kind = "job"
        func run(_ context: JobContext) async throws {}
    }

    @Test func `a webhook's jobs are served beside those of types`() async throws {
        try await withClient { client in
            let ids = try await client.enqueue([
                NewJob(kind: "hook", args: JSONText(validating: #"{"id": 1}"#)), NewJob(kind: "job"),
            ])
            var configuration = Worker.Configuration()
            configuration.drain = true
            // Nothing listens there, which shows in the job's error that it was called.
            let hook = Webhook(
                kind: "hook", url: "http://127.0.0.1:1/{id}", allowsPrivateAddresses: true, retry: .delays([]))
            try await Worker(
                client, jobs: [Job.self], webhooks: [hook], configuration: configuration, logger: .silent
            ).run()
            let hooked = try #require(try await client.store.job(ids[0]))
            #expect(hooked.summary.state == .failed)
            #expect(
                hooked.errors.map(\.error.message)
                    == ["cannot connect to 127.0.0.1: 127.0.0.1 port 1: Connection refused"])
            #expect(try await client.store.job(ids[1])?.summary.state == .completed)
        }
    }

    @Test func `mistakes name the webhook and its field`() async throws {
        await expectInvalid("webhooks") { try await worker(Webhook(kind: "job", url: "https://example.com")) }
        await expectInvalid("kind") { try await worker(Webhook(kind: "a b", url: "https://example.com")) }
        await expectInvalid("concurrency") { try await worker(Webhook(kind: "a", url: "https://e.com", concurrency: 0)) }
        await expectInvalid("timeout") { try await worker(Webhook(kind: "a", url: "https://e.com", timeout: .zero)) }
        await expectInvalid("webhooks.a.url") { try await worker(Webhook(kind: "a", url: "http://localhost:x/")) }
        await expectInvalid("webhooks.a.url") { try await worker(Webhook(kind: "a", url: "http://127.1/")) }
        await expectInvalid("webhooks.a.statuses") {
            try await worker(Webhook(kind: "a", url: "https://e.com", statuses: ["1xx": .retry]))
        }
        await expectInvalid("webhooks.a.headers.Authorization") {
            try await worker(
                Webhook(
                    kind: "a", url: "https://e.com",
                    headers: ["Authorization": .environment("MARTLET_NO_SUCH_VARIABLE", prefix: "Bearer ")]))
        }
    }
}
