/// What a worker and its child process say to each other: a length, a letter, and fields in the order of their writing.
///
/// ```
/// worker ──▶ child    run, cancel
/// child  ──▶ worker   hello, log and progress …, done
/// ```
/// Letters that the other side does not know are skipped, so that more can be said later.
struct Frame {
    enum Letter: UInt8 {
        case hello = 0x48
        case run = 0x52
        case cancel = 0x43
        case log = 0x4C
        case progress = 0x50
        case done = 0x44
    }

    private(set) var bytes: [UInt8]

    init(_ letter: Letter) { bytes = [0, 0, 0, 0, letter.rawValue] }

    mutating func write(_ value: Int64) { withUnsafeBytes(of: value) { bytes += $0 } }

    mutating func write(_ value: Int) { write(Int64(value)) }

    mutating func write(_ value: some Collection<UInt8>) {
        write(value.count)
        bytes += value
    }

    mutating func write(_ text: String) { write(text.utf8) }

    /// nil is told apart from every value.
    mutating func write<T>(_ value: T?, _ write: (inout Frame, T) -> Void) {
        bytes.append(value == nil ? 0 : 1)
        if let value { write(&self, value) }
    }

    /// Ready to be sent.
    var finished: [UInt8] {
        var bytes = bytes
        withUnsafeBytes(of: UInt32(bytes.count - 4)) { bytes.replaceSubrange(0..<4, with: $0) }
        return bytes
    }
}

/// The fields of a frame that arrived.
struct FrameReader {
    struct Malformed: Error {}

    /// nil: a letter of another version.
    let letter: Frame.Letter?
    private var rest: ArraySlice<UInt8>

    /// - Parameter body: what follows the length.
    init(_ body: ArraySlice<UInt8>) {
        letter = body.first.flatMap { Frame.Letter(rawValue: $0) }
        rest = body.dropFirst()
    }

    mutating func integer() throws(Malformed) -> Int64 {
        guard rest.count >= 8 else { throw Malformed() }
        defer { rest = rest.dropFirst(8) }
        return rest.withUnsafeBytes { $0.loadUnaligned(as: Int64.self) }
    }

    mutating func bytes() throws(Malformed) -> ArraySlice<UInt8> {
        let count = try integer()
        guard count >= 0, count <= rest.count else { throw Malformed() }
        defer { rest = rest.dropFirst(Int(count)) }
        return rest.prefix(Int(count))
    }

    mutating func text() throws(Malformed) -> String { String(decoding: try bytes(), as: UTF8.self) }

    mutating func optional<T>(_ read: (inout FrameReader) throws(Malformed) -> T) throws(Malformed) -> T? {
        guard let flag = rest.popFirst() else { throw Malformed() }
        return flag == 0 ? nil : try read(&self)
    }
}

/// Cuts a stream of bytes into frames.
struct FrameBuffer {
    /// Args and a result are far smaller; more is not a frame.
    static let limit = 64 << 20

    private var pending: [UInt8] = []

    mutating func append(_ bytes: UnsafeRawBufferPointer) { pending += bytes }

    /// - Returns: nil when more has to come first.
    mutating func next() throws(FrameReader.Malformed) -> FrameReader? {
        guard pending.count >= 4 else { return nil }
        let length = Int(pending.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) })
        guard length <= Self.limit else { throw FrameReader.Malformed() }
        guard pending.count >= 4 + length else { return nil }
        let body = Array(pending[4..<(4 + length)])
        pending.removeFirst(4 + length)
        return FrameReader(body[...])
    }
}
