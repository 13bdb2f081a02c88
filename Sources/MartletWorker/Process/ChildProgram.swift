import Foundation
import Glibc
import MartletCore

/// The program that a child runs: this one, in its child mode.
package struct ChildProgram: Sendable {
    package var path: String
    package var argv: [String]
    package var environment: [String: String]

    package init(path: String, argv: [String], environment: [String: String]) {
        self.path = path
        self.argv = argv
        self.environment = environment
    }

    /// The file that runs, whatever lies at its path by now, with the arguments that it got.
    package static var this: ChildProgram {
        ChildProgram(
            path: "/proc/self/exe", argv: CommandLine.arguments, environment: ProcessInfo.processInfo.environment)
    }

    func request(_ conditions: ChildConditions) -> SpawnRequest {
        var environment = environment
        environment[ChildMode.variable] = "\(ChildMode.channel)"
        if environment["SWIFT_BACKTRACE"] == nil, let backtracer = Self.backtracer {
            // Where the crash was; source lines would take seconds for a large program.
            environment["SWIFT_BACKTRACE"] =
                "enable=yes,sanitize=no,interactive=no,color=no,threads=crashed,limit=24,registers=none,images=none,"
                + "symbolicate=fast,output-to=stderr,swift-backtrace=\(backtracer)"
        }
        // Of each run, which the child sees to: the kernel's limit is of its life.
        var conditions = conditions
        conditions.limits.cpu = nil
        return SpawnRequest(
            path: path, argv: argv, environment: environment, directory: FileManager.default.currentDirectoryPath,
            conditions: conditions)
    }

    /// The runtime's own tool, which a toolchain brings and most installations lack.
    private static let backtracer: String? = {
        guard let maps = FileManager.default.contents(atPath: "/proc/self/maps") else { return nil }
        let lines = String(decoding: maps, as: UTF8.self).split(separator: "\n")
        guard let line = lines.first(where: { $0.hasSuffix("/libswiftCore.so") }),
            let start = line.firstIndex(of: "/")
        else { return nil }
        // …/usr/lib/swift/linux/libswiftCore.so, …/usr/libexec/swift/linux/swift-backtrace
        let root = URL(fileURLWithPath: String(line[start...])).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let tool = root.appendingPathComponent("libexec/swift/linux/swift-backtrace").path
        return access(tool, X_OK) == 0 ? tool : nil
    }()
}
