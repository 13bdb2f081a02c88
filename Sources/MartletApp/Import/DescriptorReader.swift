import Glibc

/// Reads a descriptor from a thread of its own, where it may block; another thread can make it stop waiting.
final class DescriptorReader: Sendable {
    private let descriptor: Int32
    private let wakeRead: Int32
    private let wakeWrite: Int32

    private static let chunkBytes = 256 << 10

    init(_ descriptor: Int32) throws(ImportFlaw) {
        self.descriptor = descriptor
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw Self.flaw() }
        (wakeRead, wakeWrite) = (ends[0], ends[1])
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    }

    deinit {
        close(wakeRead)
        close(wakeWrite)
    }

    /// How many bytes are left in a regular file; nil for anything else.
    var remainingBytes: Int? {
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        let here = lseek(descriptor, 0, SEEK_CUR)
        return here < 0 ? nil : max(0, Int(status.st_size) - here)
    }

    /// From any thread: the read under way, if it waits, and all later ones throw ``ImportFlaw/stopped``.
    func stop() {
        var byte: UInt8 = 1
        // The pipe cannot be full of anything but such bytes, and one is enough.
        _ = write(wakeWrite, &byte, 1)
    }

    /// Whether there is something to read, an end or an error included, waiting at most this long for it.
    func hasSomething(within limit: Duration) throws(ImportFlaw) -> Bool {
        // Rounded up, so that a wait of less than a millisecond is not taken for none and tried again and again.
        try waits(milliseconds: Int32(clamping: Int((limit / .milliseconds(1)).rounded(.up))))
    }

    /// - Parameter milliseconds: negative waits for ever.
    private func waits(milliseconds: Int32) throws(ImportFlaw) -> Bool {
        while true {
            var waits = [
                pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: wakeRead, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&waits, 2, milliseconds) >= 0 else {
                if errno == EINTR { continue }
                throw Self.flaw()
            }
            if waits[1].revents != 0 { throw .stopped }
            return waits[0].revents != 0
        }
    }

    /// Appends what is there, waiting for at least one byte; false at the end.
    func read(appendingTo bytes: inout [UInt8]) throws(ImportFlaw) -> Bool {
        let old = bytes.count
        while true {
            _ = try waits(milliseconds: -1)
            bytes.append(contentsOf: repeatElement(0, count: Self.chunkBytes))
            // The buffer is the array's own, from its old end on, and read writes no more than its length.
            let (count, error) = bytes.withUnsafeMutableBytes { buffer in
                let count = Glibc.read(descriptor, buffer.baseAddress! + old, Self.chunkBytes)
                return (count, errno)
            }
            bytes.removeLast(Self.chunkBytes - max(0, count))
            if count >= 0 { return count > 0 }
            if error != EINTR, error != EAGAIN { throw Self.flaw(error) }
        }
    }

    private static func flaw(_ error: Int32 = errno) -> ImportFlaw {
        .reading("cannot be read: \(String(cString: strerror(error)))")
    }
}
