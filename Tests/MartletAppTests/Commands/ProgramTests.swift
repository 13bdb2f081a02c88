import Foundation
import GRDB
import Glibc
import Testing

@testable import MartletApp

/// What only the real program shows: its streams, its exit status, its signals, the file system around it.
@Suite struct ProgramTests {
    @Test func `the exit status reaches the shell`() async throws {
        let program = try Program()
        #expect(try await program.run("--help").status == 0)
        #expect(try await program.run("enqueue", "k", "--priority", "10").status == 2)
        #expect(try await program.run("jobs").status == 5)
        #expect(try await program.run("enqueue", "k").output == "1\n")
        #expect(try await program.run("jobs", "show", "2").status == 3)
        #expect(try await program.run("jobs", "discard", "1").status == 4)
        #expect(FileManager.default.fileExists(atPath: program.directory.path + "/martlet.db"))
    }

    @Test func `a reader that leaves early is no error and no noise`() async throws {
        let program = try Program()
        let lines = (1...5_000).map { "\($0)\n" }.joined()
        #expect(try await program.run("enqueue", "k", "--from", "-", input: lines).status == 0)
        var piped = program
        piped.wrapper = ["bash", "-c", #""$0" "$@" | head -n 1; echo "${PIPESTATUS[0]}" >&2"#]
        let result = try await piped.run("jobs", "list", "--limit", "5000", "--json")
        #expect(result.output.split(separator: "\n").count == 1)
        #expect(result.errors == "0\n")
    }

    @Test func `an output that cannot be written is a failure`() async throws {
        let program = try Program(wrapper: ["sh", "-c", #""$0" "$@" > /dev/full"#])
        let result = try await program.run("--version")
        #expect(result.status == 1)
        #expect(result.errors.contains("cannot write the output: No space left on device"))
    }

    @Test func `an argument that is no text is refused, not repaired`() async throws {
        let program = try Program(wrapper: ["bash", "-c", #""$0" "$@" $'{"a":"\xff"}'"#])
        let result = try await program.run("enqueue", "k")
        #expect(result.status == 2)
        #expect(result.errors.contains("not UTF-8"))
        #expect(!FileManager.default.fileExists(atPath: program.directory.path + "/martlet.db"))
    }

    /// Root may write anywhere, so root runs this as somebody else.
    @Test func `a directory that cannot be written to`() async throws {
        let program = try Program(
            wrapper: geteuid() == 0 ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [])
        #expect(chmod(program.directory.path, 0o555) == 0)
        let result = try await program.run("enqueue", "k")
        #expect(chmod(program.directory.path, 0o755) == 0)
        #expect(result.status == 5)
        #expect(result.output == "")
        #expect(result.errors.contains("martlet.db"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: program.directory.path).isEmpty)
    }

    @Test func `a file that is not a database is left as it is`() async throws {
        let program = try Program()
        let text = String(repeating: "These are my notes.\n", count: 1_000)
        let file = try program.directory.write("martlet.db", text)
        for command in [["enqueue", "k"], ["jobs"], ["doctor"], ["migrate", "up"], ["worker", "--config", "/dev/null"]] {
            let result = try await program.run(command)
            #expect(result.status == (command[0] == "worker" ? 2 : 5))
            #expect(result.output == "")
            #expect(result.errors.hasPrefix("martlet: "))
        }
        #expect(try String(contentsOfFile: file, encoding: .utf8) == text)
    }

    @Test func `a damaged database is told as such and not made worse`() async throws {
        let program = try Program()
        let lines = (1...2_000).map { "{\"n\":\($0),\"text\":\"\(String(repeating: "x", count: 100))\"}\n" }.joined()
        #expect(try await program.run("enqueue", "k", "--from", "-", input: lines).status == 0)
        let url = URL(fileURLWithPath: program.directory.path + "/martlet.db")
        var bytes = try Data(contentsOf: url)
        // Everything behind the schema's first pages: whatever is read there is garbage.
        for index in stride(from: 16 * 4_096, to: bytes.count, by: 7) { bytes[index] = 0xA5 }
        try bytes.write(to: url)
        let result = try await program.run("doctor")
        #expect(result.status == 1 || result.status == 5, "\(result.output)\(result.errors)")
        #expect(
            (result.output + result.errors).contains("damaged") || (result.output + result.errors).contains("malformed"),
            "\(result.output)\(result.errors)")
        let listing = try await program.run("jobs", "list", "--json", "--limit", "2000")
        #expect(listing.status == 5 || listing.status == 0)
        #expect(listing.status == 0 || listing.errors.hasPrefix("martlet: "))
    }

    @Test func `a database that is newer than the program is refused`() async throws {
        let program = try Program()
        #expect(try await program.run("enqueue", "k").status == 0)
        let database = try DatabaseQueue(path: program.directory.path + "/martlet.db")
        try await database.write { db in
            try db.execute(sql: "insert into martlet_schema (version, name, applied_at) values (99, 'later', 0)")
        }
        try database.close()
        for command in [["enqueue", "k"], ["jobs"], ["migrate", "up"]] {
            let result = try await program.run(command)
            #expect(result.status == 5)
            #expect(result.errors.contains("newer"), "\(result.errors)")
        }
    }

    @Test func `a relative database is named from the root`() async throws {
        let program = try Program()
        #expect(try await program.run("enqueue", "k", "--database", "./a.db").errors.hasSuffix("/a.db\n"))
        for arguments in [["doctor"], ["jobs"], ["migrate", "status"]] {
            let result = try await program.run(arguments + ["--database", "./a.db"])
            if arguments != ["jobs"] { #expect(result.output.contains("\(program.directory.path)/a.db")) }
            #expect(
                try await program.run(arguments + ["--database", "b.db"]).errors
                    .contains("no database at \(program.directory.path)/b.db"))
        }
    }

    @Test func `a full disk refuses the enqueue, and what was acknowledged before is there`() async throws {
        let disk = FullDisk.here
        let script = #"""
            \#(disk.prepare) || exit 99
            big="$(head -c 90000 /dev/zero | tr '\0' x)"
            count=0
            echo "\"$big\"" >args
            while :; do
                errors="$("$0" enqueue k --args-file args 2>&1 >/dev/null)"
                status=$?
                [ "$status" = 0 ] || break
                count=$((count + 1))
            done
            echo "$status $count"
            echo "$errors" >&2
            "$0" jobs list --json --limit 1000 | wc -l
            """#
        let program = try Program(wrapper: disk.wrapper + ["bash", "-c", script])
        let result = try await program.run([])
        let lines = result.output.split(separator: "\n")
        try #require(lines.count == 2, "\(result.output)\(result.errors)")
        let said = lines[0].split(separator: " ")
        #expect(said[0] == "5")
        let acknowledged = try #require(Int(said[1]))
        #expect(acknowledged > 0)
        #expect(lines[1].trimmingCharacters(in: .whitespaces) == "\(acknowledged)")
        let words = ["space", "full"] + (disk == .fileLimit ? ["too large", "i/o"] : [])
        #expect(words.contains { result.errors.lowercased().contains($0) }, "\(result.errors)")
    }

    @Test func `every command takes the database of martlet.yaml where nothing nearer names one`() async throws {
        let program = try Program()
        try program.directory.write("martlet.yaml", "database: sqlite:other.db\nkinds: {a: {command: [cat]}}\n")
        #expect(try await program.run("enqueue", "a").output == "1\n")
        #expect(FileManager.default.fileExists(atPath: program.directory.path + "/other.db"))
        #expect(try await program.run("jobs", "show", "1").status == 0)
        #expect(try await program.run("worker", "--drain").errors.contains("job completed"))
        #expect(try await program.run("doctor").output.contains("/other.db (from martlet.yaml)"))
        let variable = ["MARTLET_DATABASE_URL": "sqlite:variable.db"]
        #expect(try await program.run(["enqueue", "a"], environment: variable).output == "1\n")
        #expect(
            try await program.run(["doctor"], environment: variable).output
                .contains("/variable.db (from MARTLET_DATABASE_URL)"))
        let option = ["doctor", "--database", "other.db"]
        #expect(try await program.run(option, environment: variable).output.contains("/other.db (from --database)"))
    }

    @Test func `what is wrong with a database is told with where it was named`() async throws {
        let program = try Program()
        #expect(
            try await program.run("stats").errors.contains("MARTLET_DATABASE_URL or database in martlet.yaml names another"))
        try program.directory.write("martlet.yaml", "database: sqlite:missing.db\nkinds: {a: {command: [cat]}}\n")
        for command in [["stats"], ["migrate", "status"]] {
            let named = try await program.run(command)
            #expect(named.status == 5)
            #expect(named.errors.contains("missing.db"))
            #expect(named.errors.contains("(the database is from martlet.yaml)"), "\(named.errors)")
        }
        // Other mistakes in it are the worker's.
        try program.directory.write("martlet.yaml", "database: sqlite:other.db\nkindz: 1\n")
        #expect(try await program.run("enqueue", "a").status == 0)
        try program.directory.write("martlet.yaml", "database: redis://u:secret@h\n")
        let refused = try await program.run("stats")
        #expect(refused.status == 2)
        #expect(refused.errors.contains("martlet.yaml:1:11: database: unknown scheme redis:"), "\(refused.errors)")
        #expect(!refused.errors.contains("secret"))
        try program.directory.write("martlet.yaml", "database: [\n")
        #expect(try await program.run("stats").errors.contains("martlet.yaml:"))
        #expect(try await program.run("stats", "--database", "other.db").status == 0)
    }
}

/// The smallest disk that may be made here.
enum FullDisk {
    /// A file system of its own, in a mount that goes with the process; root needs no user namespace for that.
    case mountAsUser, mountAsRoot
    /// Where neither is allowed: no file may grow further.
    case fileLimit

    static let here: FullDisk = [.mountAsUser, .mountAsRoot].first { $0.isAllowed } ?? .fileLimit

    var wrapper: [String] {
        switch self {
        case .mountAsUser: ["unshare", "-rm"]
        case .mountAsRoot: ["unshare", "-m"]
        case .fileLimit: []
        }
    }

    var prepare: String {
        switch self {
        case .mountAsUser, .mountAsRoot: #"mount -t tmpfs -o size=2m none "$PWD" && cd "$PWD""#
        case .fileLimit: "ulimit -f 2048"
        }
    }

    private var isAllowed: Bool {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = wrapper + ["mount", "-t", "tmpfs", "none", "/mnt"]
        process.standardError = FileHandle.nullDevice
        do {
            try process.run()
        } catch {
            return false
        }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }
}
