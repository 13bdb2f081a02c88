import CMartletLinux
import Foundation
import Glibc

/// Programs that tests start. Through files instead of pipes: a server that a program leaves behind would keep pipes open,
/// as it does Foundation's processes.
enum TestProcess {
    /// Waits for its end.
    /// - Returns: its output.
    @discardableResult
    static func run(_ words: [String], input: String = "") throws(PostgresServerFailure) -> String {
        let files = [try scratchFile(input), try scratchFile(), try scratchFile()]
        defer { for file in files { close(file) } }
        let pid = try spawn(words, input: files[0], output: files[1], error: files[2])
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 {
            guard errno == EINTR else { throw PostgresServerFailure("\(words[0]) was lost") }
        }
        guard status == 0 else {
            let said = contents(files[2]) + contents(files[1])
            throw PostgresServerFailure("\(words.joined(separator: " ")) failed: \(said)")
        }
        return contents(files[1])
    }

    static func spawn(
        _ words: [String], input: Int32, output: Int32, error: Int32
    ) throws(PostgresServerFailure) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (target, source) in [input, output, error].enumerated() {
            posix_spawn_file_actions_adddup2(&actions, source, Int32(target))
        }
        // A server outlives the test that starts it: with another test's pipe in its hands that pipe would never end.
        guard martlet_spawn_close_from(&actions, 3) == 0 else { throw PostgresServerFailure("no memory") }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A group of its own: an interrupt from the keyboard is for the tests, and the server ends after them.
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
        let arguments = words.map { strdup($0) } + [nil]
        let settings = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "TZ=UTC"]
        let environment = settings.map { strdup($0) } + [nil]
        defer { for text in arguments + environment { free(text) } }
        var pid: pid_t = 0
        let code = posix_spawnp(&pid, arguments[0]!, &actions, &attributes, arguments, environment)
        guard code == 0 else { throw PostgresServerFailure("\(words[0]): \(String(cString: strerror(code)))") }
        return pid
    }

    static func scratchFile(_ text: String = "") throws(PostgresServerFailure) -> Int32 {
        var path = Array((FileManager.default.temporaryDirectory.path + "/martlet-XXXXXX").utf8CString)
        let descriptor = mkstemp(&path)
        guard descriptor >= 0, fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0 else {
            throw PostgresServerFailure("no temporary file")
        }
        unlink(path)
        let bytes = Array(text.utf8)
        guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count, lseek(descriptor, 0, SEEK_SET) == 0 else {
            throw PostgresServerFailure("no room in the temporary directory")
        }
        return descriptor
    }

    private static func contents(_ descriptor: Int32) -> String {
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        lseek(descriptor, 0, SEEK_SET)
        while case let count = read(descriptor, &buffer, buffer.count), count > 0 { text += buffer[..<count] }
        return String(decoding: text, as: UTF8.self)
    }
}

/// Ends what tests have started when it is let go, or when the test process dies, by whatever cause.
///
/// A small shell waits for the end of a pipe that this process holds open and nobody else does, and then cleans up.
package final class Leash: Sendable {
    private let end: Int32

    /// - Parameters:
    ///   - runner: what the shell is started with: `setpriv …`.
    ///   - begin: run before this returns.
    ///   - clean: run at the end.
    package init(runner: [String] = [], begin: String, clean: String) throws(PostgresServerFailure) {
        var pipe: [Int32] = [0, 0]
        guard Glibc.pipe(&pipe) == 0, fcntl(pipe[1], F_SETFD, FD_CLOEXEC) == 0 else {
            throw PostgresServerFailure("no pipe")
        }
        end = pipe[1]
        defer { close(pipe[0]) }
        var ready: [Int32] = [0, 0]
        guard Glibc.pipe(&ready) == 0, fcntl(ready[0], F_SETFD, FD_CLOEXEC) == 0 else {
            throw PostgresServerFailure("no pipe")
        }
        defer { close(ready[0]) }
        let script = "set -e\n\(begin)\nset +e; echo ready; exec >/dev/null 2>&1; cat\n\(clean)\n"
        // Not waited for: it lives as long as this process.
        _ = try TestProcess.spawn(runner + ["/bin/sh", "-c", script], input: pipe[0], output: ready[1], error: ready[1])
        close(ready[1])
        var said: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while case let count = read(ready[0], &buffer, buffer.count), count > 0 {
            said += buffer[..<count]
            if String(decoding: said, as: UTF8.self).hasSuffix("ready\n") { return }
        }
        throw PostgresServerFailure("cannot begin: \(String(decoding: said, as: UTF8.self))")
    }

    deinit { close(end) }
}
