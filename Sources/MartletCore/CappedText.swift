/// Text cut to a number of UTF-8 bytes on a character's border, with a mark where something is missing.
package enum CappedText {
    package static func head(_ text: String, bytes limit: Int) -> String {
        guard text.utf8.count > limit else { return text }
        var end = text.utf8.index(text.startIndex, offsetBy: limit - mark.utf8.count)
        while end.samePosition(in: text.unicodeScalars) == nil { end = text.utf8.index(before: end) }
        return text[..<end] + mark
    }

    package static func tail(_ text: String, bytes limit: Int) -> String {
        let count = text.utf8.count
        guard count > limit else { return text }
        var start = text.utf8.index(text.startIndex, offsetBy: count - limit + mark.utf8.count)
        while start.samePosition(in: text.unicodeScalars) == nil { start = text.utf8.index(after: start) }
        return mark + text[start...]
    }

    private static let mark = "…"
}
