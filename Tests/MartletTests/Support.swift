import Foundation
import Logging
import MartletCore
import MartletTestSupport
import Synchronization
import Testing

@testable import Martlet

/// A client with a database of its own.
func withClient<T>(_ body: (Client) async throws -> T) async throws -> T {
    try await withTemporaryDirectory { directory in
        let client = try await Client(.sqlite(directory.appendingPathComponent("martlet.db").path))
        do {
            let result = try await body(client)
            await client.close()
            return result
        } catch {
            await client.close()
            throw error
        }
    }
}

func expectInvalid(
    _ field: String, sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> some Any
) async {
    do {
        _ = try await body()
        Issue.record("\(field) was not refused", sourceLocation: sourceLocation)
    } catch let error as InvalidInput {
        #expect(error.field == field, sourceLocation: sourceLocation)
    } catch {
        Issue.record(error, sourceLocation: sourceLocation)
    }
}

extension Logger {
    static let silent = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
}
