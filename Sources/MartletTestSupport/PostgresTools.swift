import Foundation
import Glibc

/// The programs of an installed PostgreSQL, run as a user that PostgreSQL accepts: it refuses to serve as root.
struct PostgresTools: Sendable {
    /// Where the programs are.
    let binaries: String
    /// What stands before each program.
    let runner: [String]

    /// - Parameter namespace: where the programs run.
    init(namespace: NetworkNamespace? = nil) throws(PostgresServerFailure) {
        let root = "/usr/lib/postgresql"
        // No such directory is no version.
        let versions = ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []).compactMap { Int($0) }.sorted()
        guard let newest = versions.last(where: { FileManager.default.isExecutableFile(atPath: "\(root)/\($0)/bin/initdb") })
        else { throw PostgresServerFailure("these tests need a PostgreSQL server: apt-get install postgresql") }
        binaries = "\(root)/\(newest)/bin"
        let user =
            geteuid() == 0
            ? ["/usr/bin/setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--no-new-privs"] : []
        runner = (namespace?.runner ?? []) + user
    }

    /// Makes the directory; it and the server in it are gone when the leash is.
    func leash(directory: URL) throws(PostgresServerFailure) -> Leash {
        try Leash(
            runner: runner, begin: "mkdir -m 700 '\(directory.path)'",
            clean: """
                # What this process had just begun may go on without it for a moment, so once is not enough.
                for try in 1 2 3 4 5 6 7 8 9 10; do
                  '\(binaries)/pg_ctl' -D '\(directory.path)/data' -m immediate -w stop
                  rm -rf '\(directory.path)' && sleep 0.5 && [ ! -e '\(directory.path)' ] && exit
                done
                """)
    }

    @discardableResult
    func run(_ tool: String, _ arguments: [String], input: String = "") throws(PostgresServerFailure) -> String {
        try TestProcess.run(runner + ["\(binaries)/\(tool)"] + arguments, input: input)
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

    @discardableResult
    func shell(_ script: String, input: String = "") throws(PostgresServerFailure) -> String {
        try TestProcess.run(runner + ["/bin/sh", "-c", script], input: input)
    }
}
