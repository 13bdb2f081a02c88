import MartletCore

/// Standard output as a job's result.
enum CommandResult {
    /// - Parameter isCut: whether there was more.
    /// - Returns: nil for no output at all.
    static func json(_ output: [UInt8], isCut: Bool, limit: Int) -> JSONText? {
        guard !output.isEmpty else { return nil }
        if !isCut {
            do {
                return try JSONText(validating: output, field: "result", maxBytes: limit)
            } catch {
                // Most commands print text for people.
            }
        }
        var text = String(decoding: output, as: UTF8.self)
        if text.last?.isNewline == true { text.removeLast() }
        return JSONText(trusted: string(text, isCut: isCut, limit: limit))
    }

    /// The text as a JSON string of at most `limit` bytes, with `…` at its end where something is missing.
    private static func string(_ text: String, isCut: Bool, limit: Int) -> [UInt8] {
        let mark = Array("…".utf8)
        var bytes = [UInt8(ascii: "\"")]
        var isCut = isCut
        // Where to cut back to if the rest does not fit.
        var fitting = bytes.count
        for scalar in text.unicodeScalars {
            append(scalar, to: &bytes)
            if bytes.count + mark.count + 1 <= limit { fitting = bytes.count }
            guard bytes.count + 1 <= limit else {
                isCut = true
                break
            }
        }
        if isCut {
            bytes.removeLast(bytes.count - fitting)
            bytes += mark
        }
        bytes.append(UInt8(ascii: "\""))
        return bytes
    }

    private static func append(_ scalar: Unicode.Scalar, to bytes: inout [UInt8]) {
        switch scalar {
        case "\"": bytes += Array("\\\"".utf8)
        case "\\": bytes += Array("\\\\".utf8)
        case "\n": bytes += Array("\\n".utf8)
        case "\r": bytes += Array("\\r".utf8)
        case "\t": bytes += Array("\\t".utf8)
        // Databases cannot keep it, escaped or not.
        case "\0": bytes += Array("\u{FFFD}".utf8)
        case "\u{01}"..<"\u{20}":
            bytes += Array((scalar.value < 16 ? "\\u000" : "\\u00").utf8) + Array(String(scalar.value, radix: 16).utf8)
        default: bytes += UTF8.encode(scalar)!
        }
    }
}
