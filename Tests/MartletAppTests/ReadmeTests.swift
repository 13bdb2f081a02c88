import Foundation
import Testing

@testable import MartletApp

/// What newcomers copy works as it stands there.
@Suite struct ReadmeTests {
    private let text: String

    init() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        text = try String(contentsOf: root.appendingPathComponent("README.md"), encoding: .utf8)
    }

    private func blocks(_ language: String, under heading: String? = nil) throws -> [String] {
        var part = text[...]
        if let heading {
            let start = try #require(text.range(of: "## \(heading)\n"))
            part = text[start.upperBound...]
            if let end = part.range(of: "\n## ") { part = part[..<end.lowerBound] }
        }
        return part.components(separatedBy: "```\(language)\n").dropFirst().map { $0.components(separatedBy: "```")[0] }
    }

    @Test func `the first ten minutes go as they are told`() async throws {
        let blocks = try blocks("sh", under: "Ten minutes")
        // The build and the way to it are this test's own.
        let begin = try #require(blocks.first?.range(of: "martlet enqueue"))
        let script = blocks[0][begin.lowerBound...] + blocks.dropFirst().joined()
        let folder = URL(fileURLWithPath: Program.path).deletingLastPathComponent().path
        let program = try Program(wrapper: ["bash", "-euc", #"PATH="\#(folder):$PATH"; "# + script])
        let result = try await program.run([])
        #expect(result.status == 0, "\(result.output)\(result.errors)")
        #expect(result.output.hasPrefix("1\n"))
        #expect(result.output.contains("1 job of kind greet waits in queue default, and no live worker serves that"))
        #expect(result.output.contains(#"result    "\"name\": \"World\"""#))
        #expect(result.output.contains("1×  greet  exit: exited with status 1\n"))
        #expect(result.output.contains("retried 1 job\n"))
        #expect(result.output.contains("\ncompleted     2\nfailed        0\n"))
    }

    @Test func `its configurations can be read`() throws {
        let files = try blocks("yaml")
        #expect(!files.isEmpty)
        for file in files { _ = try WorkerFile(parsing: Array(file.utf8), file: "README.md") }
    }

    @Test func `it names every exit status and every key`() {
        for status in ExitStatus.allCases { #expect(text.contains("| \(status.rawValue) |"), "\(status)") }
        for key in EnvelopeReader.keys { #expect(text.contains("`\(key)`"), "\(key)") }
        for key in ["name", "queues", "lease", "poll", "grace", "concurrency", "database", "retention", "kinds"] {
            #expect(text.contains("\n\(key):"), "\(key)")
        }
        #expect(!text.contains("FIGURES"))
    }
}
