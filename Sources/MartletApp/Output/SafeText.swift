/// Text from jobs, made harmless for a terminal.
///
/// Args and error messages come from anybody. Printed as they are, an escape sequence in them could retitle the window,
/// recolour or overwrite what stands above, or turn the reading direction; so whatever is not ink becomes visible.
package enum SafeText {
    /// On one line: line breaks become visible too.
    package static func line(_ text: String) -> String { escape(text, keepingLines: false) }

    /// Line breaks and tabs stay.
    package static func block(_ text: String) -> String { escape(text, keepingLines: true) }

    private static func escape(_ text: String, keepingLines: Bool) -> String {
        guard text.unicodeScalars.contains(where: isUnsafe) else { return text }
        var safe = ""
        for scalar in text.unicodeScalars {
            if !isUnsafe(scalar) || keepingLines && (scalar == "\n" || scalar == "\t") {
                safe.unicodeScalars.append(scalar)
            } else {
                safe += spelled(scalar)
            }
        }
        return safe
    }

    private static func spelled(_ scalar: Unicode.Scalar) -> String {
        switch scalar {
        case "\n": "\\n"
        case "\r": "\\r"
        case "\t": "\\t"
        default: "\\u{" + String(scalar.value, radix: 16) + "}"
        }
    }

    private static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F..<0xA0: true  // C0, DEL, C1
        case 0x2028, 0x2029: true  // line and paragraph separators
        case 0x200E, 0x200F, 0x061C, 0x202A...0x202E, 0x2066...0x2069: true  // reading direction
        case 0xFFF9...0xFFFB, 0xE0000...0xE007F: true  // annotations, invisible tags
        default: false
        }
    }
}
