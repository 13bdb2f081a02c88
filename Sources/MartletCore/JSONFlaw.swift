/// Why bytes are not JSON that a job can carry, and where.
package struct JSONFlaw: Error, Sendable, Equatable {
    package enum Problem: Sendable, Equatable {
        case empty
        case unexpected(String, expected: String)
        case cutShort(expected: String)
        case trailing
        case repeatedKey(String)
        case nul
        case control(UInt8)
        case invalidUTF8
        case badEscape
        case loneSurrogate
        case leadingZero
        case beyondDouble
        case tooDeep(limit: Int)
    }

    package let problem: Problem
    /// Bytes from the beginning of the text.
    package let offset: Int

    init(_ problem: Problem, at offset: Int) {
        self.problem = problem
        self.offset = offset
    }

    /// One sentence for a person, with the place: a byte, and a line and column where there are lines.
    package func reason(in text: borrowing Span<UInt8>) -> String {
        switch problem {
        case .empty: "is empty; expected JSON such as {\"file\": \"a.png\"}"
        case .unexpected(let found, let expected): "is not JSON: expected \(expected), found \(found) \(place(text))"
        case .cutShort(let expected): "is not JSON: it ends where \(expected) is expected, \(place(text))"
        case .trailing: "has text after the end of the JSON value \(place(text))"
        case .repeatedKey(let key): "has the key \(key.debugDescription) twice in one object, again \(place(text))"
        case .nul: "contains a NUL character, which databases cannot keep, \(place(text))"
        case .control(let byte):
            "has the control character 0x\(Self.hex(byte)) in a string, where it must be escaped, \(place(text))"
        case .invalidUTF8: "is not valid UTF-8 \(place(text))"
        case .badEscape: "has an escape that JSON does not know \(place(text))"
        case .loneSurrogate: "has half of a surrogate pair \(place(text))"
        case .leadingZero: "has a number that begins with a superfluous 0 \(place(text))"
        case .beyondDouble: "has a number too great for a 64-bit float \(place(text))"
        case .tooDeep(let limit): "is nested deeper than \(limit) levels \(place(text))"
        }
    }

    private func place(_ text: borrowing Span<UInt8>) -> String {
        var line = 1
        var column = 1
        for i in 0..<min(offset, text.count) {
            if text[i] == UInt8(ascii: "\n") {
                line += 1
                column = 1
            } else if text[i] & 0xC0 != 0x80 {
                column += 1
            }
        }
        return line == 1 ? "at byte \(offset)" : "at line \(line), column \(column) (byte \(offset))"
    }

    /// What stands at an offset, in words.
    static func character(at offset: Int, _ text: borrowing Span<UInt8>) -> String {
        let first = text[offset]
        switch first {
        case 0x21...0x7E: return "'\(Unicode.Scalar(first))'"
        case 0x80...:
            var bytes: [UInt8] = []
            for i in offset..<min(offset + 4, text.count) { bytes.append(text[i]) }
            if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { return "a byte order mark" }
            guard let scalar = String(decoding: bytes, as: UTF8.self).unicodeScalars.first, scalar != "\u{FFFD}" else {
                return "the byte 0x\(hex(first))"
            }
            return "'\(scalar)'"
        default: return "the control character 0x\(hex(first))"
        }
    }

    private static func hex(_ byte: UInt8) -> String {
        (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
    }
}
