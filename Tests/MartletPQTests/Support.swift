import Foundation
import MartletPQ
import MartletTestSupport
import Testing

/// A client for one test, closed at its end.
func withClient(
    _ url: String, _ change: (inout PQOptions) -> Void = { _ in }, _ body: (PQClient) async throws -> Void
) async throws {
    var options = try PQOptions(url)
    change(&options)
    let client = PQClient(options)
    do {
        try await body(client)
    } catch {
        await client.close()
        throw error
    }
    await client.close()
}

/// Against the server that tests share.
func withClient(_ change: (inout PQOptions) -> Void = { _ in }, _ body: (PQClient) async throws -> Void) async throws {
    try await withClient(PostgresServer.shared().url(), change, body)
}

extension PQClient {
    func int(_ sql: String, _ parameters: [Value] = [], within: Duration? = nil) async throws -> Int64 {
        try await run(.once(sql), parameters, within: within).int(0, 0)
    }

    /// Runs SQL that must fail.
    func failure(
        _ sql: String, _ parameters: [Value] = [], within: Duration? = nil, at: SourceLocation = #_sourceLocation
    ) async throws -> PQError {
        try await #require(throws: PQError.self, sourceLocation: at) {
            _ = try await self.run(.once(sql), parameters, within: within)
        }
    }
}

/// Waits for a fact. The bound is only there to end a test that has failed.
func eventually(_ fact: () async throws -> Bool, at: SourceLocation = #_sourceLocation) async throws {
    let end = ContinuousClock.now + .seconds(60)
    while try await !fact() {
        try #require(ContinuousClock.now < end, "it never happened", sourceLocation: at)
        try await Task.sleep(for: .milliseconds(5))
    }
}
