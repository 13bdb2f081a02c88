import Glibc
import MartletCore

/// Reads files that are to be small, and refuses large ones before they are read whole.
package enum SmallFile {
    package struct Missing: Error {
        package let reason: String
    }

    package static func read(_ path: String, limit: Int, field: String) throws -> [UInt8] {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Missing(reason: String(cString: strerror(errno))) }
        defer { close(descriptor) }
        return try read(descriptor, name: path, limit: limit, field: field)
    }

    /// A regular file says how large it is; of a pipe at most one byte more than the limit is read.
    package static func read(_ descriptor: Int32, name: String, limit: Int, field: String) throws -> [UInt8] {
        var info = stat()
        guard fstat(descriptor, &info) == 0 else { throw Missing(reason: String(cString: strerror(errno))) }
        guard info.st_mode & S_IFMT != S_IFDIR else { throw Missing(reason: "it is a directory") }
        if info.st_mode & S_IFMT == S_IFREG, info.st_size > limit {
            throw tooLarge(name, "\(info.st_size) bytes", limit, field)
        }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: min(limit + 1, 64 << 10))
        while bytes.count <= limit {
            let count = Glibc.read(descriptor, &chunk, min(chunk.count, limit + 1 - bytes.count))
            if count == 0 { return bytes }
            if count > 0 {
                bytes += chunk[..<count]
            } else if errno != EINTR {
                throw Missing(reason: String(cString: strerror(errno)))
            }
        }
        throw tooLarge(name, "more than \(limit) bytes", limit, field)
    }

    private static func tooLarge(_ name: String, _ size: String, _ limit: Int, _ field: String) -> InvalidInput {
        InvalidInput(field: field, reason: "\(name) has \(size); at most \(limit) are taken")
    }
}
