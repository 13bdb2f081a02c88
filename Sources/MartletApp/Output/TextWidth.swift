/// How many columns of a terminal a text takes.
enum TextWidth {
    static func of(_ text: String) -> Int {
        text.reduce(0) { $0 + of($1) }
    }

    /// Cut to a number of columns, with a mark where something is missing.
    static func cut(_ text: String, to limit: Int) -> String {
        guard text.utf8.count > limit, of(text) > limit else { return text }
        guard limit > 1 else { return limit == 1 ? "…" : "" }
        var kept = ""
        var width = 0
        for character in text {
            let next = of(character)
            guard width + next <= limit - 1 else { break }
            kept.append(character)
            width += next
        }
        return kept + "…"
    }

    private static func of(_ character: Character) -> Int {
        guard let scalar = character.unicodeScalars.first else { return 0 }
        return switch scalar.value {
        case 0..<0x300: 1
        case 0x300..<0x370, 0x200B...0x200D, 0xFE00...0xFE0F: 0
        // What Unicode calls wide: Hangul, CJK and its punctuation, full-width forms, pictures.
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F,
            0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F900...0x1F9FF, 0x20000...0x3FFFD:
            2
        default: 1
        }
    }
}
