import Foundation
import Glibc
import Testing

@testable import MartletApp

/// What a worker that waits keeps in memory.
@Suite struct WorkerMemoryTests {
    @Test func `a worker that has begun lets go of what began it, and runs jobs`() async throws {
        let program = try Program()
        try program.directory.write("martlet.yaml", "kinds: {touch: {command: [touch, there]}}\n")
        let worker = try RunningProgram(program, ["worker"])
        // Of everything that was resident at any time more than a quarter is code that ran once.
        try await worker.wait("less memory than it took to begin") {
            try resident("VmRSS", worker.process) * 4 < resident("VmHWM", worker.process) * 3
        }
        _ = try await program.run("enqueue", "touch")
        try await worker.wait(forFile: "there")
        kill(worker.process.processIdentifier, SIGTERM)
        #expect(try await worker.result().status == 0)
    }

    /// Of a running process, in kB.
    private func resident(_ name: String, _ process: Process) throws -> Int {
        let text = try String(contentsOfFile: "/proc/\(process.processIdentifier)/status", encoding: .utf8)
        let line = try #require(text.split(separator: "\n").first { $0.hasPrefix(name + ":") })
        return try #require(Int(line.filter(\.isNumber)))
    }
}
