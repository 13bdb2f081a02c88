import Foundation

/// Another session, with a REPEATABLE READ transaction open.
final class SnapshotHolder {
    private let process = Process()
    private let input = Pipe()

    init(_ database: BenchDatabase) throws {
        process.executableURL = database.psqlProgram
        process.arguments = ["-X", "-q", "-d", database.url]
        process.standardInput = input
        process.standardOutput = FileHandle.nullDevice
        try Workshop.start(process)
        input.fileHandleForWriting.write(
            Data("begin isolation level repeatable read; select count(*) from pg_class;\n".utf8))
        for _ in 0..<1_000 {
            if try database.number(Self.question) > 0 { return }
            usleep(10_000)
        }
        throw Failure("nobody holds a snapshot")
    }

    private static let question = """
        select count(*) from pg_stat_activity where state = 'idle in transaction' and datname = current_database()
        """

    func end() throws {
        try input.fileHandleForWriting.close()
        process.waitUntilExit()
    }
}
