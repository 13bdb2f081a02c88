import CMartletLinux
import Foundation
import Glibc
import MartletCore
import MartletTestSupport
import Testing

@testable import MartletWorker

@Suite struct ControlGroupsTests {
    private let unified = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate"

    @Test(arguments: [
        ("0::/", "/sys/fs/cgroup", "/sys/fs/cgroup"),
        ("0::/system.slice/martlet.service", "/sys/fs/cgroup", "/sys/fs/cgroup/system.slice/martlet.service"),
        ("4:memory:/x\n0::/a", "/sys/fs/cgroup", "/sys/fs/cgroup/a"),
    ])
    func `our own group is found below the hierarchy's mount`(groups: String, mount: String, directory: String) {
        let mounts = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n" + unified + "\n"
        let place = ControlGroups.place(mounts: mounts, groups: groups + "\n")
        #expect(place == ControlGroups.Place(mount: mount, directory: directory))
    }

    @Test func `a part of the hierarchy serves those that are in it`() {
        let part = "30 23 0:26 /docker/1 /sys/fs/cgroup ro - cgroup2 cgroup rw\n"
        #expect(ControlGroups.place(mounts: part, groups: "0::/docker/1\n")?.directory == "/sys/fs/cgroup")
        #expect(ControlGroups.place(mounts: part, groups: "0::/docker/1/a\n")?.directory == "/sys/fs/cgroup/a")
        #expect(ControlGroups.place(mounts: part, groups: "0::/docker/12\n") == nil)
        #expect(ControlGroups.place(mounts: part, groups: "0::/../2\n") == nil)
    }

    @Test func `without the second version there is none`() {
        let old = "30 23 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        #expect(ControlGroups.place(mounts: old, groups: "0::/\n") == nil)
        #expect(ControlGroups.place(mounts: unified, groups: "4:memory:/\n") == nil)
    }

    @Test(.enabled(if: ControlGroups.directory != nil, "needs a cgroup v2 that this process may write to"))
    func `a command runs in a group of its own, which goes with it`() async throws {
        let spec = try CommandSpec(argv: ["/bin/sh", "-c", "grep ^0:: /proc/self/cgroup"])
        let outcome = await CommandExecutor(spec).run(CommandExecutorTests().call()).outcome
        guard case .completed(let result?) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        let name = try #require(result.string.split(separator: "/").last).dropLast()
        #expect(name.hasPrefix(MARTLET_GROUP_PREFIX), "\(result.string)")
        let directory = try #require(ControlGroups.directory)
        #expect(!FileManager.default.fileExists(atPath: "\(directory)/\(name)"))
    }
}

/// What supervisors and their warden do where something fails them.
@Suite struct WardenTests {
    @Test func `children are found on a kernel that does not list them`() async throws {
        try await withTemporaryDirectory { directory in
            let file = directory.appendingPathComponent("pid").path
            let script = "sleep 600 & sleep 600 & echo $$ > \(file).new; mv \(file).new \(file); wait"
            let executor = CommandExecutor(try CommandSpec(argv: ["/bin/sh", "-c", script]))
            let task = Task { await executor.run(CommandExecutorTests().call()).outcome }
            try await eventually("it runs") { FileManager.default.fileExists(atPath: file) }
            let text = try String(contentsOfFile: file, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
            let shell = try #require(pid_t(text))
            var found = [CInt](repeating: 0, count: 64)
            let count = martlet_scan_children(shell, &found, CInt(found.count))
            #expect(count == 2 && found.prefix(2).allSatisfy { parent(of: $0) == shell })
            task.cancel()
            _ = await task.value
        }
    }

    @Test func `what a supervisor looked after goes also when the supervisor is killed`() async throws {
        try await withTemporaryDirectory { directory in
            let file = directory.appendingPathComponent("pids").path
            // The shell, and a daemon: another session, and a parent that has ended.
            let script =
                "(setsid sh -c 'trap : TERM; echo $$ >> \(file); sleep 600; :' &) ; echo $$ >> \(file); sleep 600; :"
            let executor = CommandExecutor(try CommandSpec(argv: ["/bin/sh", "-c", script]))
            let task = Task { await executor.run(CommandExecutorTests().call()).outcome }
            var pids: [pid_t] = []
            try await eventually("both run") {
                // Not there until the command has written it.
                let text = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
                pids = text.split(separator: "\n").compactMap { pid_t($0) }
                return pids.count == 2
            }
            let shell = try #require(pids.first { parent(of: $0).map(name) == "martlet-child" })
            let supervisor = try #require(parent(of: shell))
            kill(supervisor, SIGKILL)
            _ = await task.value
            try await eventually("all are gone") { pids.allSatisfy { kill($0, 0) != 0 } }
        }
    }

    /// nil: the process has ended.
    private func name(_ pid: pid_t) -> String? {
        (try? String(contentsOfFile: "/proc/\(pid)/comm", encoding: .utf8))?.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// nil: the process has ended.
    private func parent(of pid: pid_t) -> pid_t? {
        guard let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8) else { return nil }
        return stat.split(separator: ")").last?.split(separator: " ").dropFirst().first.flatMap { pid_t($0) }
    }
}
