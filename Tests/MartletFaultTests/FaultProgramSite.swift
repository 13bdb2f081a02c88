import Foundation
import MartletTestSupport
import Testing

/// A queue on either engine, what works on it (`FaultProgram`), and what a person sees of it (`martlet`).
struct FaultProgramSite {
    enum Engine: String, CaseIterable { case sqlite, postgres }

    let site: Site
    var environment: [String: String]

    static func with(_ engine: Engine, _ body: (inout FaultProgramSite) async throws -> Void) async throws {
        try await withSite { site in
            var environment = ProcessInfo.processInfo.environment
            switch engine {
            case .sqlite:
                let path = site.directory.appendingPathComponent("jobs.db").path
                environment["DATABASE"] = path
                environment["MARTLET_DATABASE_URL"] = "sqlite:\(path)"
            case .postgres:
                let server = try PostgresServer.shared()
                let url = server.url(database: try server.makeDatabase())
                environment["DATABASE"] = url
                environment["MARTLET_DATABASE_URL"] = url
                let end = try await site.start(program: "martlet", environment: environment, ["migrate", "up"]).end()
                try #require(end.status == 0, "\(end.errors)")
            }
            var program = FaultProgramSite(site: site, environment: environment)
            try await body(&program)
        }
    }

    func start(_ arguments: [String], dataLimit: Int? = nil) throws -> Running {
        try site.start(program: "FaultProgram", dataLimit: dataLimit, environment: environment, arguments)
    }

    /// To its end, which has to be a good one.
    func run(_ arguments: [String]) async throws {
        let end = try await start(arguments).end()
        try #require(end.status == 0, "\(end.errors)")
    }

    // MARK: The jobs

    struct Job: Decodable {
        struct Failure: Decodable {
            let type: String
            let message: String
        }
        let id: Int64
        let kind: String
        let state: String
        let attempt: Int
        let error: Failure?
    }

    struct Detail: Decodable {
        let reason: String?
        let crashes: Int
    }

    func jobs() async throws -> [Job] {
        let end = try await site.start(
            program: "martlet", environment: environment, ["jobs", "list", "--limit", "1000000", "--json"]
        ).end()
        try #require(end.status == 0, "\(end.errors)")
        return try end.output.split(separator: "\n").map { try JSONDecoder().decode(Job.self, from: Data($0.utf8)) }
    }

    func detail(_ id: Int64) async throws -> Detail {
        let end = try await site.start(program: "martlet", environment: environment, ["jobs", "show", "\(id)", "--json"])
            .end()
        return try JSONDecoder().decode(Detail.self, from: Data(end.output.utf8))
    }
}
