import Foundation
import Martlet

/// What a hundred times more waiting changes.
enum Backlog {
    private static let (small, large) = (100_000, 10_000_000)

    static func run(_ bench: Bench) async throws {
        let server = try bench.postgres()
        var few: [Double] = []
        try await server.withDatabase { full in
            try await PostgresDrain.fill(full, jobs: small)
            few = try await bench.rounds {
                try await server.withDatabase(copying: full) {
                    try await PostgresDrain.raw($0, clients: 1, jobs: small)
                }
            }
        }
        bench.report("raw claim and settle, 100 k waiting", "jobs/s", few)
        try await server.withDatabase { database in
            try await PostgresDrain.fill(database, jobs: large)
            try database.psql("checkpoint")
            for arguments in [["jobs", "show", "\(large / 2)"], ["stats"], ["jobs", "list"]] {
                let values = try await bench.repeated { try await Programs.time(arguments, database: database.url) }
                let most = arguments[1...].isEmpty ? 100.0 : 20
                bench.report("10 M waiting: martlet \(arguments.joined(separator: " "))", "ms", values, atMost: most)
            }
            var done = 0
            let many = try await bench.rounds {
                done += small
                return try await PostgresDrain.raw(database, clients: 1, jobs: small, completed: done)
            }
            bench.report("raw claim and settle, 10 M waiting", "jobs/s", many)
            bench.reportRatio("  of 100 k waiting", many, of: few, atLeast: 0.9)
        }
    }
}
