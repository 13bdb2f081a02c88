import Foundation
import Glibc
import MartletTestSupport
import Synchronization

/// Where this run keeps its files, and which programs it has started: both are gone when it ends, however that comes about.
///
/// A worker left behind by an interrupted run would be in every measurement after it.
enum Workshop {
    private static let directory = URL(fileURLWithPath: FileManager.default.currentDirectoryPath)
        .appendingPathComponent(".build/bench-\(getpid())")
    /// A file for each program that runs, named by its process id.
    private static let running = directory.appendingPathComponent("running")

    private static let leash = Mutex<Leash?>(nil)

    /// The first time makes it.
    fileprivate static func enter() throws -> URL {
        try leash.withLock { leash in
            guard leash == nil else { return }
            leash = try Leash(
                begin: "mkdir -p '\(running.path)'",
                clean: """
                    for pid in $(ls '\(running.path)'); do kill -KILL "$pid"; done
                    # What had just begun may go on for a moment.
                    for try in 1 2 3 4 5 6 7 8 9 10; do rm -rf '\(directory.path)' && exit; sleep 0.5; done
                    """)
        }
        return directory
    }

    /// Starts it, to be ended with this run at the latest: an interrupt from the keyboard does not reach it by itself.
    /// - Parameter ended: called once it has.
    static func start(_ process: Process, ended: @escaping @Sendable () -> Void = {}) throws {
        _ = try enter()
        process.terminationHandler = { process in
            unlink(running.appendingPathComponent("\(process.processIdentifier)").path)
            ended()
        }
        try process.run()
        let note = running.appendingPathComponent("\(process.processIdentifier)").path
        try Data().write(to: URL(fileURLWithPath: note))
        // It may have ended, and its note been taken away, before that was written.
        if !process.isRunning { unlink(note) }
    }
}

/// A directory of its own for one measurement, on the disk the bench was started on.
func withDirectory<T>(_ body: (URL) async throws -> T) async throws -> T {
    try await withTemporaryDirectory(in: Workshop.enter(), body)
}
