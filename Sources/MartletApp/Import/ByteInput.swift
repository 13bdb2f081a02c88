import Glibc
import MartletCore

/// A window on a stream of bytes: holds what has been read and not yet used, and no more than one line and one read.
struct ByteInput {
    /// Appends the next bytes; false at the end.
    typealias Fill = (inout [UInt8]) throws(ImportFlaw) -> Bool

    private(set) var bytes: [UInt8] = []
    /// Everything before it in `bytes` has been used.
    var position = 0
    /// Bytes used of the whole stream.
    var used: Int { dropped + position }

    private let fill: Fill
    private var dropped = 0

    init(fill: @escaping Fill) { self.fill = fill }

    /// Reads on. What has been used makes room first, so positions change: `bytes[position]` stays what it was.
    /// - Returns: false at the end.
    mutating func more() throws(ImportFlaw) -> Bool {
        dropped += position
        bytes.removeFirst(position)
        position = 0
        return try fill(&bytes)
    }

    mutating func skipByteOrderMark() throws(ImportFlaw) {
        while bytes.count < 3, try more() {}
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
    }

    /// The next line, as a range of `bytes`, without its LF or CRLF; nil at the end.
    /// A line is known to be too long as soon as `limit` bytes of it are there.
    mutating func line(limit: Int) throws(ImportFlaw) -> LineRange? {
        var searched = position
        while true {
            let end = newline(from: searched)
            guard (end ?? bytes.count) - position <= limit else { return .tooLong }
            if let end {
                defer { position = end + 1 }
                return .whole(position..<withoutCarriageReturn(end))
            }
            searched = bytes.count - position
            if try !more() {
                guard position < bytes.count else { return nil }
                defer { position = bytes.count }
                return .whole(position..<withoutCarriageReturn(bytes.count))
            }
        }
    }

    enum LineRange {
        case whole(Range<Int>)
        case tooLong
    }

    /// Passes over one line of any length.
    /// - Returns: false at the end.
    mutating func skipLine() throws(ImportFlaw) -> Bool {
        var any = false
        while true {
            if let end = newline(from: position) {
                position = end + 1
                return true
            }
            any = any || position < bytes.count
            position = bytes.count
            guard try more() else { return any }
        }
    }

    private func withoutCarriageReturn(_ end: Int) -> Int {
        end > position && bytes[end - 1] == UInt8(ascii: "\r") ? end - 1 : end
    }

    private func newline(from start: Int) -> Int? {
        // The pointers stay inside this closure; memchr looks only at the bytes between start and count.
        bytes.withUnsafeBytes { buffer in
            guard start < buffer.count, let base = buffer.baseAddress,
                let found = memchr(base + start, 0x0A, buffer.count - start)
            else { return nil }
            return UnsafeRawPointer(found) - base
        }
    }
}
