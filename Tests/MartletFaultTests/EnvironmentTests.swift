import Foundation
import MartletTestSupport
import Testing

/// What a worker in a real program lets its children know.
@Suite struct EnvironmentTests {
    @Test func `no password of the worker's reaches a child, and what is named does`() async throws {
        try await withSite { site in
            var environment = ProcessInfo.processInfo.environment
            environment["DATABASE"] = "jobs.db"
            environment["MARTLET_DATABASE_URL"] = "postgres://martlet:secret-1@db.example/jobs"
            environment["PGPASSWORD"] = "secret-2"
            environment["FAULT_NAMED"] = "yes"
            let file = site.directory.appendingPathComponent("seen")
            let end = try await site.start(
                program: "FaultProgram", environment: environment, ["probe", "environment", file.path]
            ).end()
            #expect(end.status == 0, "\(end.errors)")
            let seen = try String(contentsOf: file, encoding: .utf8)
            #expect(!seen.contains("secret-") && !seen.contains("DATABASE"), "\(seen)")
            #expect(seen.contains("FAULT_NAMED=yes") && seen.contains("PATH="), "\(seen)")
            #expect(!seen.contains("MARTLET_CHILD"), "what makes it a child is not for its own children")
        }
    }
}
