import MartletCore

/// Standard output, or the body of an answer, as a job's result.
///
/// The cap counts bytes of output, as its author does, not those of the JSON that is kept: a newline costs one, though JSON
/// writes two.
package enum CommandResult {
    /// - Parameters:
    ///   - output: the beginning, of at most `limit` bytes.
    ///   - total: how many bytes there were in all; nil: more than the limit, and nobody counted.
    /// - Returns: nil for no output at all.
    package static func json(_ output: ArraySlice<UInt8>, total: Int?, limit: Int) -> JSONText? {
        guard total != 0 else { return nil }
        guard let total, total <= limit else { return JSONText(trusted: string(cut(output, total: total, limit: limit))) }
        do {
            return try JSONText(validating: Array(output), field: "result", maxBytes: limit)
        } catch {
            // Most commands print text for people.
        }
        var text = String(decoding: output, as: UTF8.self)
        if text.last?.isNewline == true { text.removeLast() }
        return JSONText(trusted: string(text))
    }

    /// Whole characters and a mark that people see and scripts can look for, within the limit together.
    private static func cut(_ output: ArraySlice<UInt8>, total: Int?, limit: Int) -> String {
        let mark = "… (cut: \(total.map { "\($0) bytes in all" } ?? "more than \(limit) bytes"))"
        var kept = output.prefix(max(limit - mark.utf8.count, 0))
        // What continues a character is no beginning of one; up to three such bytes follow the first.
        var next = kept.endIndex
        while next > kept.startIndex, next < output.endIndex, kept.endIndex - next < 3, output[next] & 0xC0 == 0x80 {
            next -= 1
        }
        if next < output.endIndex, output[next] & 0xC0 != 0x80 { kept = kept[..<next] }
        return String(decoding: kept, as: UTF8.self) + mark
    }

    private static func string(_ text: String) -> [UInt8] {
        var bytes = [UInt8(ascii: "\"")]
        bytes.reserveCapacity(text.utf8.count + text.utf8.count / 8)
        for scalar in text.unicodeScalars { append(scalar, to: &bytes) }
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
