import Foundation
import Logging
import MartletCore
import MartletStore
import MartletTestSupport
import Testing

@testable import Martlet

struct CapturedErrorTests {
    struct Plain: Error { let code = 3 }

    struct Wrapped: Error {
        let cause: (any Error)?
        let path = "/a"
    }

    enum Case: Error {
        case bare
        case carries(any Error)
        case carriesMore(String, any Error)
    }

    struct Localized: LocalizedError {
        var errorDescription: String? { "The picture could not be read." }
        var failureReason: String? { "It is no PNG." }
    }

    @Test func `an error has its type and its words`() {
        let plain = CapturedError.of(Plain())
        #expect(plain.type == "Plain" && plain.message == "Plain(code: 3)" && plain.detail == nil)
        #expect(CapturedError.of(Localized()).message == "The picture could not be read. It is no PNG.")
        #expect(CapturedError.of(Case.bare).message == "bare")
    }

    @Test func `causes are found however they are kept`() {
        let expected = "caused by Plain: Plain(code: 3)"
        #expect(CapturedError.of(Wrapped(cause: Plain())).detail == expected)
        #expect(CapturedError.of(Wrapped(cause: nil)).detail == nil)
        #expect(CapturedError.of(Case.carries(Plain())).detail == expected)
        #expect(CapturedError.of(Case.carriesMore("while reading", Plain())).detail == expected)
        let foundation = NSError(domain: "a", code: 1, userInfo: [NSUnderlyingErrorKey: Plain()])
        #expect(CapturedError.of(foundation).detail == expected)
        let chain = CapturedError.of(Wrapped(cause: Case.carries(Localized())))
        #expect(chain.detail?.split(separator: "\n").count == 2)
        #expect(chain.detail?.hasSuffix("caused by Localized: The picture could not be read. It is no PNG.") == true)
    }

    @Test func `a chain without end is cut`() {
        var error: any Error = Plain()
        for _ in 0..<100 { error = Wrapped(cause: error) }
        let lines = CapturedError.of(error).detail?.split(separator: "\n") ?? []
        #expect(lines.count == 11)
        #expect(lines.last == "and more causes")
        #expect(CapturedError.of(error).detail!.utf8.count <= Limits.errorDetailBytes)
    }

    @Test func `what a run throws on purpose knows its place`() {
        let line = #line + 1
        let failure = CapturedError.of(JobFailure("no disk", type: "Disk", cause: Plain()))
        #expect(failure.type == "Disk" && failure.message == "no disk")
        #expect(failure.detail == "at MartletTests/CapturedErrorTests.swift:\(line)\ncaused by Plain: Plain(code: 3)")
        #expect(CapturedError.of(Discard("a", file: "F.swift", line: 1)).detail == "at F.swift:1")
        #expect(CapturedError.of(Retry(after: .zero, "a", file: "F.swift", line: 2)).detail == "at F.swift:2")
        let nested = CapturedError.of(Wrapped(cause: JobFailure("inner", file: "F.swift", line: 3)))
        #expect(nested.detail == "caused by JobFailure: inner (at F.swift:3)")
    }

    // MARK: Secrets

    struct Login: Job {
        static let kind = "login"
        static let retry = RetryPolicy(maxAttempts: 1)
        let user: String
        let password: String
        let pin: String

        func run(_ context: JobContext) async throws {
            throw JobFailure("\(user) was refused with \(password)", cause: Wrapped(cause: JobFailure("pin=\(pin) \(self)")))
        }
    }

    @Test func `secrets of the args do not get into errors`() async throws {
        try await withClient { client in
            let id = try await client.enqueue(Login(user: "anna", password: "hunter22", pin: "987654"))
            var configuration = Worker.Configuration.draining
            configuration.redact.insert("pin")
            try await Worker(client, jobs: [Login.self], configuration: configuration, logger: .silent).run()
            let job = try #require(try await client.job(id))
            let error = try #require(job.errors.first?.error)
            #expect(error.message == "anna was refused with [redacted]")
            let detail = try #require(error.detail)
            #expect(detail.contains("pin=[redacted]") && detail.contains("anna"))
            #expect(!detail.contains("hunter22") && !detail.contains("987654"))
            // The job itself must run again with them.
            #expect(job.args.string.contains("hunter22"))
        }
    }
}
