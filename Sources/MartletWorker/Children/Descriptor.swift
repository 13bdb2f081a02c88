import CMartletLinux
import Glibc

/// One open file, closed once.
///
/// Sendable without checks: the number never changes, and whoever owns it closes it by releasing it.
final class Descriptor: Sendable {
    let number: CInt

    init(_ number: CInt) { self.number = number }

    deinit { close(number) }

    static func pipe() throws(Errno) -> (reading: Descriptor, writing: Descriptor) {
        var ends: [CInt] = [-1, -1]
        let error = martlet_pipe(&ends)
        guard error == 0 else { throw Errno(number: error) }
        return (Descriptor(ends[0]), Descriptor(ends[1]))
    }

    static func socketPair() throws(Errno) -> (ours: Descriptor, theirs: Descriptor) {
        var ends: [CInt] = [-1, -1]
        let type = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw Errno.last }
        return (Descriptor(ends[0]), Descriptor(ends[1]))
    }

    static func open(_ path: String, _ flags: CInt) throws(Errno) -> Descriptor {
        let number = Glibc.open(path, flags | O_CLOEXEC)
        guard number >= 0 else { throw Errno.last }
        return Descriptor(number)
    }

    /// Ours, or nothing where we have none.
    static func standardOutput() throws(Errno) -> Descriptor {
        guard fcntl(STDOUT_FILENO, F_GETFD) >= 0 else { return try open("/dev/null", O_WRONLY) }
        return try duplicate(STDOUT_FILENO)
    }

    func duplicate() throws(Errno) -> Descriptor { try Self.duplicate(number) }

    private static func duplicate(_ number: CInt) throws(Errno) -> Descriptor {
        let copy = fcntl(number, F_DUPFD_CLOEXEC, 3)
        guard copy >= 0 else { throw Errno.last }
        return Descriptor(copy)
    }

    func unblock() {
        // Neither can fail for a descriptor that is open.
        let flags = fcntl(number, F_GETFL)
        _ = fcntl(number, F_SETFL, flags | O_NONBLOCK)
    }
}

/// A number of errno(3).
struct Errno: Error, Equatable, CustomStringConvertible {
    let number: CInt

    static var last: Errno { Errno(number: errno) }

    var description: String { String(cString: strerror(number)) }
}
