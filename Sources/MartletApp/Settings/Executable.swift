import Glibc

/// Looks for programs as `execvp` will.
enum Executable {
    static func exists(_ program: String, in directory: String?, path: String?) -> Bool {
        guard !program.contains("/") else { return isExecutable(program, in: directory) }
        return (path ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":", omittingEmptySubsequences: false)
            .contains { isExecutable("\($0.isEmpty ? "." : $0)/\(program)", in: directory) }
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
