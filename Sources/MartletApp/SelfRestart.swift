import Glibc

/// The same program with the same arguments in the same process: whoever watches the process sees no end.
enum SelfRestart {
    /// What the new program is to know of the old one.
    static let failedVariable = "MARTLET_JOBS_FAILED"

    /// From here on signals end the process at once, as nothing is left to do in good order. Ignored or blocked ones would stay
    /// so in the new program, and a stop that comes in between be lost.
    static func letSignalsThrough() {
        for number in [SIGTERM, SIGINT, SIGPIPE, SIGXFSZ] { signal(number, SIG_DFL) }
        var none = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, nil)
    }

    /// Everything must be closed and written that matters; descriptors but the standard ones go.
    /// - Parameter failed: jobs failed so far, for `--fail-on-error` at the end.
    /// - Returns: why it could not be done.
    static func perform(arguments: [String], failed: Bool) -> String {
        // What helped the programs before this one to start children ended with them, and waits to be looked at.
        while waitpid(-1, nil, WNOHANG) > 0 {}
        // Most are closed by themselves; of a library's nobody can know.
        for descriptor in openDescriptors() where descriptor > STDERR_FILENO { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        if failed { setenv(failedVariable, "1", 1) }
        var argv: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
        argv.append(nil)
        execv(program(), argv)
        return String(cString: strerror(errno))
    }

    /// By its path, as listings of processes show that; by the link when the file was replaced meanwhile.
    private static func program() -> String {
        let link = "/proc/self/exe"
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        let count = readlink(link, &buffer, Int(PATH_MAX))
        guard count > 0 else { return link }
        let path = String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return access(path, X_OK) == 0 ? path : link
    }

    private static func openDescriptors() -> [Int32] {
        guard let directory = opendir("/proc/self/fd") else { return [] }
        defer { closedir(directory) }
        var found: [Int32] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if let number = Int32(name) { found.append(number) }
        }
        return found
    }
}
