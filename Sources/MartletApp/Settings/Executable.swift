import Glibc
import MartletCore
import MartletWorker

/// Looks for programs as the executor will: in the absolute directories of the `PATH` that the command itself gets.
enum Executable {
    static func exists(_ program: String, in directory: String?, path: String?) -> Bool {
        guard !program.contains("/") else { return isExecutable(program, in: directory) }
        return (path ?? "/usr/bin:/bin").split(separator: ":").filter { $0.hasPrefix("/") }
            .contains { isExecutable("\($0)/\(program)", in: directory) }
    }

    static func isDirectory(_ path: String) -> Bool {
        var info = stat()
        return stat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFDIR
    }

    private static func isExecutable(_ path: String, in directory: String?) -> Bool {
        let place = path.hasPrefix("/") ? path : (directory.map { "\($0)/" } ?? "") + path
        return access(place, X_OK) == 0 && !isDirectory(place)
    }
}

extension KindSettings {
    func checkCanStart(_ command: CommandSpec, file: String, environment: [String: String]) throws(InvalidInput) {
        let program = command.argv[0]
        if let directory = command.workingDirectory, !Executable.isDirectory(directory) {
            throw InvalidInput(field: "\(file): kinds.\(kind).directory", reason: "there is no directory \(directory)")
        }
        let path = command.environment["PATH"] ?? environment["PATH"]
        guard !Executable.exists(program, in: command.workingDirectory, path: path) else { return }
        let place = program.contains("/") ? "there is no executable file" : "no directory of PATH has the program"
        throw InvalidInput(field: "\(file): kinds.\(kind).command", reason: "\(place) \(program)")
    }
}
