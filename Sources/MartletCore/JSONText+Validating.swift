extension JSONText {
    /// Checks that the bytes are one JSON value a job can carry. Kept as they are, but for white space around it.
    package init(
        validating bytes: [UInt8], field: String = "args", maxBytes: Int = Limits.argsBytes
    ) throws(InvalidInput) {
        guard bytes.count <= maxBytes else { throw Self.tooLarge(bytes.count, maxBytes, field) }
        var scanner = JSONScanner()
        let value: Range<Int>
        do throws(JSONFlaw) {
            value = try scanner.value(bytes.span)
        } catch {
            throw InvalidInput(field: field, reason: error.reason(in: bytes.span))
        }
        self.init(trusted: value.count == bytes.count ? bytes : Array(bytes[value]))
    }

    package init(
        validating text: String, field: String = "args", maxBytes: Int = Limits.argsBytes
    ) throws(InvalidInput) {
        try self.init(validating: Array(text.utf8), field: field, maxBytes: maxBytes)
    }

    package static func tooLarge(_ count: Int, _ limit: Int, _ field: String) -> InvalidInput {
        InvalidInput(field: field, reason: "is \(count) bytes long; at most \(limit). \(elsewhere)")
    }

    /// For args that were not read to their end.
    package static func tooLarge(moreThan limit: Int) -> InvalidInput {
        InvalidInput(field: "args", reason: "is longer than \(limit) bytes. \(elsewhere)")
    }

    private static let elsewhere = "Keep larger data in a file or object store and its address here"

    /// What a JSON string says; nil for any other value.
    package var decodedString: String? {
        guard utf8.first == UInt8(ascii: "\""), utf8.count >= 2 else { return nil }
        var decoded: [UInt8] = []
        JSONEscape.append(utf8.span, 1..<utf8.count - 1, to: &decoded)
        return String(decoding: decoded, as: UTF8.self)
    }
}
