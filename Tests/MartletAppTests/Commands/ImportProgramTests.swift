import Foundation
import Glibc
import Testing

@testable import MartletApp

/// Imports that a signal ends, or that go on for ever.
@Suite struct ImportProgramTests {
    @Test(arguments: [(SIGTERM, Int32(143)), (SIGINT, Int32(130))])
    func `a stopped import says what is in and where to go on`(signal: Int32, status: Int32) async throws {
        let program = try Program()
        let looking = try Program(in: program.directory)
        let pipe = Pipe()
        let running = try RunningProgram(program, ["enqueue", "k", "--from", "-", "--json"], input: pipe)
        // The line that is not whole yet shows that the rest does not wait for it, nor for the end.
        try pipe.fileHandleForWriting.write(contentsOf: Data("1\n2\n3\n4".utf8))
        try await running.wait("three jobs") {
            try await looking.run("stats", "--json").output.contains(#""available":3,"#)
        }
        kill(running.process.processIdentifier, signal)
        let result = try await running.result()
        #expect(result.status == status)
        #expect(result.errors.contains("standard input: the import was stopped"), "\(result.errors)")
        #expect(result.errors.contains("3 jobs were enqueued (ids 1 to 3), up to line 3; nothing from line 4 on"))
        #expect(result.errors.contains("go on with --start-line 4"))
        #expect(result.output.contains(#""enqueued":3,"first_id":1,"last_id":3"#))
        #expect(result.output.contains(#""start_line":4"#))
        try pipe.fileHandleForWriting.close()
    }
}
