import Logging
import MartletCore
import MartletStore
import Synchronization
import Testing

@testable import Martlet

struct DecodingTests {
    struct Resize: Job {
        struct Size: Codable {
            let width: Int
        }

        static let kind = "resize"
        let file: String
        let count: Int
        let sizes: [Size]
        let shared: Bool?
        let tags: [String: String]?

        func run(_ context: JobContext) async throws {}
    }

    static let cases: [(args: String, reason: String)] = [
        (#"{"count": 1, "sizes": []}"#, "key `file` is missing"),
        (#"{"file": "a", "count": "one", "sizes": []}"#, "`count` is not a number"),
        (#"{"file": 1, "count": 1, "sizes": []}"#, "`file` is not a string"),
        (#"{"file": null, "count": 1, "sizes": []}"#, "`file` is null, not a string"),
        (#"{"file": "a", "count": 1, "sizes": {}}"#, "`sizes` is not an array"),
        (#"{"file": "a", "count": 1, "sizes": [{"width": 1}, {}]}"#, "key `sizes[1].width` is missing"),
        (#"{"file": "a", "count": 1, "sizes": [{"width": true}]}"#, "`sizes[0].width` is not a number"),
        (#"{"file": "a", "count": 1, "sizes": [], "shared": 1}"#, "`shared` is not true or false"),
        (#"{"file": "a", "count": 1, "sizes": [], "tags": []}"#, "`tags` is not an object"),
        ("[]", "the whole is not an object"),
    ]

    @Test func `args that do not fit their type fail at once and say what does not fit where`() async throws {
        try await withClient { client in
            let ids = try await client.enqueue(
                Self.cases.map { try NewJob(kind: "resize", args: JSONText(validating: $0.args)) })
            try await Worker(client, jobs: [Resize.self], configuration: .draining, logger: .silent).run()
            for (id, (_, reason)) in zip(ids, Self.cases) {
                let job = try #require(try await client.store.job(id))
                #expect(job.summary.state == .failed)
                #expect(job.summary.attempt == 1)
                #expect(job.summary.error?.error.type == "decoding")
                #expect(job.summary.error?.error.message == "args do not fit Resize: \(reason)")
            }
        }
    }

    /// Keeps what it was decoded from.
    struct Late: Job {
        static let kind = "late"
        static let kept = Mutex<[Kept]>([])

        /// `@unchecked`: the run has it, then the test.
        final class Kept: @unchecked Sendable {
            let decoder: any Decoder

            init(_ decoder: any Decoder) { self.decoder = decoder }
        }

        struct Args: Codable {
            let file: String
        }

        private let kept: Kept

        init(from decoder: any Decoder) throws { kept = Kept(decoder) }

        func encode(to encoder: any Encoder) throws {}

        func run(_ context: JobContext) async throws {
            Self.kept.withLock { $0.append(kept) }
        }
    }

    @Test func `a job that keeps its decoder finds its args there when the worker has let go of them`() async throws {
        let files = (0..<50).map { "a name that is too long to be kept inline, number \($0)" }
        try await withClient { client in
            _ = try await client.enqueue(
                files.map { try NewJob(kind: "late", args: JSONText(validating: #"{"file": "\#($0)"}"#)) })
            try await Worker(client, jobs: [Late.self], configuration: .draining, logger: .silent).run()
        }
        let kept = Late.kept.withLock { $0 }
        // Takes the places of what has been freed.
        let others = (0..<10_000).map { Array(repeating: UInt8(ascii: "x"), count: 60 + $0 % 30) }
        #expect(try Set(kept.map { try Late.Args(from: $0.decoder).file }) == Set(files))
        #expect(others.count == 10_000)
    }

    @Test func `a worker of the library says which version it is`() async throws {
        try await withClient { client in
            let worker = try Worker(client, jobs: [Resize.self], logger: .silent)
            let task = Task { try await worker.run() }
            var versions: [String] = []
            while versions.isEmpty {
                versions = try await client.store.workers().map(\.version)
                await Task.yield()
            }
            task.cancel()
            try await task.value
            #expect(versions == [Version.current])
        }
    }
}
