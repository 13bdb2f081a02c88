import Foundation
import Glibc
import Logging
import Martlet

/// Does one small thing that a test looks at.
struct Probing: Job {
    static let kind = "probing"
    static let executor = Executor.process
    let act: Act
    var path = ""

    enum Act: String, Codable {
        case succeed, fail, snooze, discard, exit, segfault, log, writePID, computeForAMoment, allocate, cleanUp, spin,
            spawn, follow, chatter, environment, identity, forgeResult, forgeUsage, logAndVanish
    }

    func run(_ context: JobContext) async throws {
        switch act {
        case .succeed: break
        case .fail: throw Retry(after: .seconds(7), "not today")
        case .snooze: throw Snooze(for: .seconds(9))
        case .discard: throw Discard("for good")
        case .exit: Glibc.exit(7)
        case .segfault:
            FileHandle.standardError.write(Data("about to die\n".utf8))
            // Not by `kill`: the runtime's handler, where there is one, expects the instruction to be tried again.
            UnsafeMutablePointer<Int>(bitPattern: Int(getpid() & 0) + 16)?.pointee = 1
        case .log: context.logger.warning("halfway", metadata: ["share": "0.5"])
        case .forgeResult: tellWorker(result: [0xFF], memory: 1)
        case .forgeUsage: tellWorker(result: nil, memory: .max)
        case .logAndVanish:
            context.logger.warning("halfway")
            tellWorker(result: nil, memory: 1)
            _exit(0)
        case .chatter:
            try note(getpid())
            while !Task.isCancelled { context.logger.warning("and another thing") }
        case .identity:
            let text = "\(getuid()) \(getgid()) \(getgroups(0, nil))"
            try text.write(toFile: path, atomically: true, encoding: .utf8)
        case .environment:
            let names = ProcessInfo.processInfo.environment.map { "\($0.key)=\($0.value)" }.sorted()
            try names.joined(separator: "\n").write(toFile: path, atomically: true, encoding: .utf8)
        case .follow:
            context.progress(0.25, "quarter")
            try context.enqueue(
                Probing(act: .log, path: "\u{e9}"), queue: "next", priority: 2, in: .seconds(3), maxAttempts: 4,
                timeout: .seconds(9), expires: .after(.seconds(60)))
        case .writePID: try note(getpid())
        case .computeForAMoment:
            let end = clock() + 50 * CLOCKS_PER_SEC / 1_000
            while clock() < end {}
        case .allocate:
            let block = [UInt8](repeating: 1, count: 100 << 20)
            guard block[Int(getpid()) & 0xFF] == 1 else { throw Discard("never") }
        case .cleanUp:
            try note(getpid())
            do {
                try await Task.sleep(for: .seconds(600))
            } catch {
                try "cleaned up".write(toFile: path + ".end", atomically: true, encoding: .utf8)
                throw error
            }
        case .spin:
            try note(getpid())
            while getpid() > 0 {}
        case .spawn:
            // A daemon: a session of its own, and no parent that is known.
            let shell = Process()
            shell.executableURL = URL(fileURLWithPath: "/bin/sh")
            shell.arguments = [
                "-c", "setsid sh -c 'trap : TERM; echo $$ > \(path).new; mv \(path).new \(path); sleep 600; :' & exit 0",
            ]
            // Nobody waits for it: Foundation would wait for its descendants, too.
            try shell.run()
            while !FileManager.default.fileExists(atPath: path) { try await Task.sleep(for: .milliseconds(5)) }
            Glibc.exit(0)
        }
    }

    /// By hand, beside the library: a run that completed.
    private func tellWorker(result: [UInt8]?, memory: Int64) {
        func integer(_ value: Int64) -> [UInt8] { withUnsafeBytes(of: value) { [UInt8]($0) } }
        var body: [UInt8] = [0x44] + integer(0)
        if let result { body += [1] + integer(Int64(result.count)) + result } else { body += [0] }
        body += [1] + integer(memory) + [1] + integer(-memory) + integer(memory) + integer(0)
        let frame = withUnsafeBytes(of: UInt32(body.count)) { [UInt8]($0) } + body
        precondition(write(3, frame, frame.count) == frame.count)
    }

    /// Whole or not at all: somebody waits for the file.
    private func note(_ pid: pid_t) throws { try "\(pid)".write(toFile: path, atomically: true, encoding: .utf8) }
}
