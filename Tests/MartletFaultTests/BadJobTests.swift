import Foundation
import Glibc
import MartletTestSupport
import Testing

/// Jobs that throw, trap, run for ever and allocate without end, among good ones, in a program that embeds a worker.
@Suite(.serialized) struct BadJobTests {
    /// 425 good ones of 500, 75 that throw, 25 of each other kind, in full.
    private static let counts: [(kind: String, count: Int)] = [
        ("good", Dose.of(70, full: 350)), ("throwing", Dose.of(15, full: 75)), ("trapping", Dose.of(5, full: 25)),
        ("hanging", Dose.of(5, full: 25)), ("leaking", Dose.of(5, full: 25)),
    ]

    enum Engine: String, CaseIterable { case sqlite, postgres }

    @Test(.timeLimit(.minutes(20)), arguments: Engine.allCases)
    func `in processes of their own, bad jobs hurt nobody, and no daemon ends`(engine: Engine) async throws {
        try await with(engine) { site, environment in
            var environment = environment
            environment["FAULT_EXECUTOR"] = "process"
            try await enqueue(site, environment)
            let worker = try await site.start(program: "FaultProgram", environment: environment, ["work", "16"]).end()
            #expect(worker.status == 0, "\(worker.errors.suffix(2_000))")
            let jobs = try await jobs(site, environment)
            checkGood(jobs)
            for job in jobs where job.kind == "trapping" {
                #expect(
                    job.state == "failed" && job.error?.type == "signal"
                        && job.error?.message.contains("trap number") == true)
            }
            for job in jobs where job.kind == "leaking" {
                #expect(job.state == "failed" && job.error?.type == "signal")
                #expect(job.error?.message.contains("out of memory") == true, "\(job.error?.message ?? "no error")")
            }
        }
    }

    @Test(.timeLimit(.minutes(20)), arguments: Engine.allCases)
    func `as coroutines, those that kill their worker are found out and end alone`(engine: Engine) async throws {
        try await with(engine) { site, environment in
            var environment = environment
            environment["FAULT_EXECUTOR"] = "coroutine"
            // A backtrace of a large program takes seconds each.
            environment["SWIFT_BACKTRACE"] = "enable=no"
            try await enqueue(site, environment)
            var deaths = 0
            while true {
                let worker = try await site.start(
                    program: "FaultProgram", dataLimit: 512 << 20, environment: environment, ["work", "8"]
                ).end()
                guard worker.status != 0 else {
                    // A drain does not wait for what others run, and of another machine nobody knows that it is dead
                    // until its lease has ended.
                    if try await jobs(site, environment).allSatisfy({ ["completed", "failed"].contains($0.state) }) {
                        break
                    }
                    continue
                }
                deaths += 1
                try #require(deaths <= 50 * 3, "the worker dies again and again: \(worker.errors.suffix(2_000))")
            }
            #expect(deaths > 0)
            let jobs = try await jobs(site, environment)
            checkGood(jobs)
            for job in jobs where ["trapping", "leaking"].contains(job.kind) {
                #expect(job.state == "failed")
                let detail = try await detail(job.id, site, environment)
                #expect(detail.reason == "crashed" && detail.crashes >= 1, "\(job.kind): \(detail)")
            }
        }
    }

    // MARK: The jobs

    private struct Job: Decodable {
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

    private struct Detail: Decodable {
        let reason: String?
        let crashes: Int
    }

    private func enqueue(_ site: Site, _ environment: [String: String]) async throws {
        let arguments = ["enqueue"] + Self.counts.map { "\($0.count)" }
        let end = try await site.start(program: "FaultProgram", environment: environment, arguments).end()
        try #require(end.status == 0, "\(end.errors)")
    }

    private func jobs(_ site: Site, _ environment: [String: String]) async throws -> [Job] {
        let end = try await site.start(
            program: "martlet", environment: environment, ["jobs", "list", "--limit", "1000000", "--json"]
        ).end()
        try #require(end.status == 0, "\(end.errors)")
        let jobs = try end.output.split(separator: "\n").map { try JSONDecoder().decode(Job.self, from: Data($0.utf8)) }
        #expect(jobs.count == Self.counts.map(\.count).reduce(0, +))
        return jobs
    }

    private func detail(_ id: Int64, _ site: Site, _ environment: [String: String]) async throws -> Detail {
        let end = try await site.start(program: "martlet", environment: environment, ["jobs", "show", "\(id)", "--json"])
            .end()
        return try JSONDecoder().decode(Detail.self, from: Data(end.output.utf8))
    }

    private func checkGood(_ jobs: [Job]) {
        for job in jobs where job.kind == "good" { #expect(job.state == "completed" && job.attempt == 1, "\(job)") }
        for job in jobs where job.kind == "throwing" {
            #expect(job.state == "failed" && job.error?.type == "Refusal" && job.attempt == 1, "\(job)")
        }
        for job in jobs where job.kind == "hanging" {
            #expect(job.state == "failed" && job.error?.type == "timeout" && job.attempt == 1, "\(job)")
        }
    }

    private func with(_ engine: Engine, _ body: (Site, [String: String]) async throws -> Void) async throws {
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
            try await body(site, environment)
        }
    }
}
