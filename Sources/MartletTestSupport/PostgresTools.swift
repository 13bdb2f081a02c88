import CMartletLinux
import Foundation
import Glibc

/// The programs of an installed PostgreSQL, run as a user that PostgreSQL accepts: it refuses to serve as root.
struct PostgresTools: Sendable {
    private let binaries: String
    private let runner: [String]

    init() throws(PostgresServerFailure) {
        let root = "/usr/lib/postgresql"
        // No such directory is no version.
        let versions = ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []).compactMap { Int($0) }.sorted()
        guard let newest = versions.last(where: { FileManager.default.isExecutableFile(atPath: "\(root)/\($0)/bin/initdb") })
        else { throw PostgresServerFailure("these tests need a PostgreSQL server: apt-get install postgresql") }
        binaries = "\(root)/\(newest)/bin"
        runner =
            geteuid() == 0
            ? ["/usr/bin/setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--no-new-privs"] : []
    }

    /// Makes the directory, and the shell that removes it and the server in it when this process is gone.
    /// - Returns: the end of the pipe that must stay open.
    func leash(directory: URL) throws(PostgresServerFailure) -> Int32 {
        var pipe: [Int32] = [0, 0]
        guard Glibc.pipe(&pipe) == 0, fcntl(pipe[1], F_SETFD, FD_CLOEXEC) == 0 else {
            throw PostgresServerFailure("no pipe")
        }
        let script = """
            mkdir -m 700 '\(directory.path)' || exit; cat >/dev/null
            # What this process had just begun may go on without it for a moment, so once is not enough.
            for try in 1 2 3 4 5 6 7 8 9 10; do
              '\(binaries)/pg_ctl' -D '\(directory.path)/data' -m immediate -w stop
              rm -rf '\(directory.path)' && sleep 0.5 && [ ! -e '\(directory.path)' ] && exit
            done >/dev/null 2>&1
            """
        let ready = try scratchFile()
        defer { close(ready) }
        // Not waited for: it lives as long as this process.
        _ = try spawn(["/bin/sh", "-c", script], input: pipe[0], output: ready, error: ready)
        close(pipe[0])
        try waitFor(directory)
        return pipe[1]
    }

    private func waitFor(_ directory: URL) throws(PostgresServerFailure) {
        for _ in 0..<2_000 {
            if FileManager.default.fileExists(atPath: directory.path) { return }
            usleep(5_000)
        }
        throw PostgresServerFailure("no directory for the server: \(directory.path)")
    }
    @discardableResult
    func run(_ tool: String, _ arguments: [String], input: String = "") throws(PostgresServerFailure) -> String {
        try finish(["\(binaries)/\(tool)"] + arguments, input: input)
    }

    func initialize(_ data: String) throws(PostgresServerFailure) {
        try run("initdb", ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"])
    }

    /// The same version, which pg_upgrade takes as well. It writes beside itself, so it needs a directory of its own.
    func upgrade(from old: String, to new: String, in directory: String) throws(PostgresServerFailure) {
        try shell(
            """
            cd '\(directory)' && exec '\(binaries)/pg_upgrade' -U postgres -b '\(binaries)' -B '\(binaries)' \\
              -d '\(old)' -D '\(new)'
            """, input: "")
    }

    func write(_ text: String, appendingTo path: String) throws(PostgresServerFailure) {
        try shell("cat >> '\(path)'", input: text)
    }

    func shell(_ script: String, input: String) throws(PostgresServerFailure) {
        _ = try finish(["/bin/sh", "-c", script], input: input)
    }

    /// Through files: a server that pg_ctl leaves behind would keep pipes open, as it does Foundation's processes.
    private func finish(_ words: [String], input: String) throws(PostgresServerFailure) -> String {
        let files = [try scratchFile(input), try scratchFile(), try scratchFile()]
        defer { for file in files { close(file) } }
        let pid = try spawn(words, input: files[0], output: files[1], error: files[2])
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 {
            guard errno == EINTR else { throw PostgresServerFailure("\(words[0]) was lost") }
        }
        guard status == 0 else {
            throw PostgresServerFailure("\(words[0]) failed: \(contents(files[2]))\(contents(files[1]))")
        }
        return contents(files[1])
    }

    private func spawn(
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
        let arguments = (runner + words).map { strdup($0) } + [nil]
        let settings = ["PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"]
        let environment = settings.map { strdup($0) } + [nil]
        defer { for text in arguments + environment { free(text) } }
        var pid: pid_t = 0
        let code = posix_spawn(&pid, arguments[0]!, &actions, &attributes, arguments, environment)
        guard code == 0 else { throw PostgresServerFailure("\(words[0]): \(String(cString: strerror(code)))") }
        return pid
    }

    private func scratchFile(_ text: String = "") throws(PostgresServerFailure) -> Int32 {
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

    private func contents(_ descriptor: Int32) -> String {
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        lseek(descriptor, 0, SEEK_SET)
        while case let count = read(descriptor, &buffer, buffer.count), count > 0 { text += buffer[..<count] }
        return String(decoding: text, as: UTF8.self)
    }
}
