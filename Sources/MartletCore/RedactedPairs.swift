/// A text without the values that follow secret keys.
///
/// Read byte by byte: a word, then perhaps the quote that closes it, `:` or `=`, then the value in quotes, in brackets, or up to
/// where values end. After a scheme (`Bearer`) the value is the word that follows, and a `Cookie` is the rest of its line.
struct RedactedPairs {
    private let bytes: [UInt8]
    private let isSecret: (String) -> Bool
    private var out: [UInt8] = []
    private var at = 0

    private static let schemes: Set<String> = ["bearer", "basic", "token", "digest", "negotiate", "apikey"]

    init(_ text: String, isSecret: @escaping (String) -> Bool) {
        bytes = Array(text.utf8)
        self.isSecret = isSecret
        out.reserveCapacity(bytes.count)
        run()
    }

    var text: String { String(decoding: out, as: UTF8.self) }

    private mutating func run() {
        while at < bytes.count {
            guard Self.isWord(bytes[at]) else {
                out.append(bytes[at])
                at += 1
                continue
            }
            let start = at
            while at < bytes.count, Self.isWord(bytes[at]) { at += 1 }
            out += bytes[start..<at]
            let word = String(decoding: bytes[start..<at], as: UTF8.self)
            if let value = valueStart(), isSecret(word) {
                out += bytes[at..<value]
                at = value
                redactValue(isCookie: word.lowercased().hasSuffix("cookie"))
            }
        }
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    /// Where the value of the word that ends here begins; nil: the word is not a key.
    private func valueStart() -> Int? {
        var i = at
        if i < bytes.count, bytes[i] == UInt8(ascii: "\\") { i += 1 }
        if i < bytes.count, Self.isQuote(bytes[i]) { i += 1 }
        i = afterBlanks(i)
        guard i < bytes.count, bytes[i] == UInt8(ascii: ":") || bytes[i] == UInt8(ascii: "=") else { return nil }
        i = afterBlanks(i + 1)
        return i < bytes.count && !Self.endsValue(bytes[i]) || i < bytes.count && Self.isQuote(bytes[i]) ? i : nil
    }

    private func afterBlanks(_ start: Int) -> Int {
        var i = start
        while i < bytes.count, bytes[i] == UInt8(ascii: " ") || bytes[i] == UInt8(ascii: "\t") { i += 1 }
        return i
    }

    private static func isQuote(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") }

    private static func endsValue(_ byte: UInt8) -> Bool { " \t\r\n,;&)]}\"'".utf8.contains(byte) }

    private mutating func redactValue(isCookie: Bool) {
        let isEscaped = bytes[at] == UInt8(ascii: "\\") && at + 1 < bytes.count && Self.isQuote(bytes[at + 1])
        if isEscaped || Self.isQuote(bytes[at]) {
            skipQuoted(isEscaped: isEscaped)
        } else if bytes[at] == UInt8(ascii: "{") || bytes[at] == UInt8(ascii: "[") {
            out += Array(Redaction.mark.utf8)
            skipBracketed()
        } else if isCookie {
            out += Array(Redaction.mark.utf8)
            while at < bytes.count, bytes[at] != UInt8(ascii: "\n"), bytes[at] != UInt8(ascii: "\r") { at += 1 }
        } else {
            skipWords()
        }
    }

    /// The quotes stay; a `\"` ends only what a `\"` began.
    private mutating func skipQuoted(isEscaped: Bool) {
        let quote = isEscaped ? Array(bytes[at...(at + 1)]) : [bytes[at]]
        at += quote.count
        out += quote + Array(Redaction.mark.utf8)
        while at < bytes.count {
            if bytes[at...].starts(with: quote) {
                out += quote
                at += quote.count
                return
            }
            at += !isEscaped && bytes[at] == UInt8(ascii: "\\") ? 2 : 1
        }
        at = min(at, bytes.count)
    }

    private mutating func skipBracketed() {
        var depth = 0
        var quote: UInt8?
        while at < bytes.count {
            let byte = bytes[at]
            if byte == UInt8(ascii: "\\") {
                at += 1
            } else if byte == quote {
                quote = nil
            } else if quote == nil, byte == UInt8(ascii: "\"") {
                quote = byte
            } else if quote == nil, byte == UInt8(ascii: "{") || byte == UInt8(ascii: "[") {
                depth += 1
            } else if quote == nil, byte == UInt8(ascii: "}") || byte == UInt8(ascii: "]") {
                depth -= 1
            }
            at = min(at + 1, bytes.count)
            if depth == 0 { return }
        }
    }

    private mutating func skipWords() {
        let start = at
        while at < bytes.count, !Self.endsValue(bytes[at]) { at += 1 }
        let first = String(decoding: bytes[start..<at], as: UTF8.self)
        if Self.schemes.contains(first.lowercased()), at < bytes.count, bytes[at] == UInt8(ascii: " ") {
            out += bytes[start...at]
            at += 1
            // What was left out before stays as it is.
            if bytes[at...].starts(with: Redaction.mark.utf8) { at += Redaction.mark.utf8.count }
            while at < bytes.count, !Self.endsValue(bytes[at]) { at += 1 }
        }
        out += Array(Redaction.mark.utf8)
    }
}
