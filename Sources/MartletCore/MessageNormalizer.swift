/// The rules of ``ErrorFingerprint``, applied from left to right: at each place the first that fits.
struct MessageNormalizer {
    private static let inputBytes = 1_024
    private static let outputBytes = 256

    private let text: [UInt8]
    private var position = 0
    private var output: [UInt8] = []
    /// Closing quotes that were looked for and are not in the rest of the line: looked for once, so that time stays linear.
    private var absent: Set<UInt8> = []
    /// Up to here there is no network address, for the same reason.
    private var addressFrom = 0
    /// Where in the output the local part of a mail address would begin.
    private var mailStart = 0

    init(_ message: String) {
        var line = message.utf8.drop(while: Self.isSpace).prefix { $0 != 0x0A && $0 != 0x0D }
        if line.count > Self.inputBytes {
            line = line.prefix(Self.inputBytes)
            // Not in the middle of a character: its continuation bytes go, and then its lead.
            while let last = line.last, last & 0xC0 == 0x80 { line.removeLast() }
            if let last = line.last, last >= 0xC0 { line.removeLast() }
        }
        text = Self.withPlainQuotes(Array(line))
    }

    mutating func normalized() -> String {
        while position < text.count {
            if !continuesMail { mailStart = output.count }
            if space() || quoted() || url() || path() || uuid() || networkAddress() || word() { continue }
            output.append(text[position])
            position += 1
        }
        if output.last == UInt8(ascii: " ") { output.removeLast() }
        return CappedText.head(String(decoding: output, as: UTF8.self), bytes: Self.outputBytes)
    }

    private mutating func space() -> Bool {
        guard Self.isSpace(text[position]) else { return false }
        while position < text.count, Self.isSpace(text[position]) { position += 1 }
        output.append(UInt8(ascii: " "))
        return true
    }

    /// `'…'`, `"…"`, `` `…` ``. An apostrophe inside a word is none: quotes open at a word's border and close at one.
    private mutating func quoted() -> Bool {
        let quote = text[position]
        guard quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "`") else { return false }
        guard atBorder, !absent.contains(quote) else { return false }
        var end = position + 1
        while end < text.count, text[end] != quote || (end + 1 < text.count && Self.isWord(text[end + 1])) { end += 1 }
        guard end < text.count else {
            absent.insert(quote)
            return false
        }
        output.append(quote)
        output.append(contentsOf: "…".utf8)
        output.append(quote)
        position = end + 1
        return true
    }

    /// `scheme://whatever` keeps its scheme, which the word before has already written.
    private mutating func url() -> Bool {
        guard text[position...].starts(with: "://".utf8) else { return false }
        output.append(contentsOf: "://…".utf8)
        position += 3
        skipPath(stoppingAtColon: false)
        return true
    }

    private mutating func path() -> Bool {
        guard text[position] == UInt8(ascii: "/"), atBorder, position + 1 < text.count,
            Self.isWord(text[position + 1]) || Self.dotOrUnderscore.contains(text[position + 1])
        else { return false }
        output.append(contentsOf: "/…".utf8)
        position += 1
        skipPath(stoppingAtColon: true)
        return true
    }

    private mutating func skipPath(stoppingAtColon: Bool) {
        while position < text.count, !Self.isSpace(text[position]), !Self.endsPath.contains(text[position]) {
            if stoppingAtColon, text[position] == UInt8(ascii: ":") { return }
            position += 1
        }
    }

    private mutating func uuid() -> Bool {
        guard atBorder, position + 36 <= text.count else { return false }
        for i in 0..<36 {
            let byte = text[position + i]
            guard Self.dashes.contains(i) ? byte == UInt8(ascii: "-") : Hex.value(byte) != nil else { return false }
        }
        guard position + 36 == text.count || !Self.isWord(text[position + 36]) else { return false }
        output.append(UInt8(ascii: "X"))
        position += 36
        return true
    }

    /// IPv6 and hardware addresses: hexadecimal digits with two colons or more. (Others are numbers with points.)
    private mutating func networkAddress() -> Bool {
        guard atBorder, position >= addressFrom else { return false }
        var end = position
        var (colons, digits, letters) = (0, false, false)
        while end < text.count {
            if text[end] == UInt8(ascii: ":") {
                colons += 1
                if end > position, text[end - 1] == UInt8(ascii: ":") { letters = true }
            } else if Self.isDigit(text[end]) {
                digits = true
            } else if Hex.value(text[end]) != nil {
                letters = true
            } else {
                break
            }
            end += 1
        }
        guard colons >= 2, digits, letters, end == text.count || !Self.isWord(text[end]) else {
            addressFrom = end
            return false
        }
        if text[end - 1] == UInt8(ascii: ":") { end -= 1 }
        output.append(UInt8(ascii: "X"))
        position = end
        return true
    }

    /// A run of letters and digits, read as a whole.
    private mutating func word() -> Bool {
        let start = position
        var (digits, hexadecimal) = (0, true)
        while position < text.count, Self.isWord(text[position]) {
            if Self.isDigit(text[position]) { digits += 1 }
            if Hex.value(text[position]) == nil { hexadecimal = false }
            position += 1
        }
        let count = position - start
        guard count > 0 else { return false }
        let letters = count - digits
        if mailDomainFollows() {
            output.removeSubrange(mailStart...)
            output.append(UInt8(ascii: "X"))
        } else if text[start..<position].starts(with: "0x".utf8)
            || (digits > 0 && letters > 0 && ((hexadecimal && count >= 8) || count >= 20))
        {
            output.append(UInt8(ascii: "X"))
        } else {
            number(in: start..<position)
        }
        return true
    }

    /// Copies letters, and writes one `N` for each number, its decimals and groups (`1.5`, `10.0.0.1`) included.
    private mutating func number(in word: Range<Int>) {
        var i = word.lowerBound
        while i < word.upperBound {
            guard Self.isDigit(text[i]) else {
                output.append(text[i])
                i += 1
                continue
            }
            while i < text.count, Self.isDigit(text[i]) || (text[i] == UInt8(ascii: ".") && digitFollows(i)) { i += 1 }
            output.append(UInt8(ascii: "N"))
        }
        // Decimals may have led beyond the word; letters behind them (`1.5s`) are read as the next word.
        position = i
    }

    private func digitFollows(_ i: Int) -> Bool { i + 1 < text.count && Self.isDigit(text[i + 1]) }

    /// Reads on over `@host` after the last word of a mail address.
    private mutating func mailDomainFollows() -> Bool {
        guard position + 1 < text.count, text[position] == UInt8(ascii: "@"), Self.isWord(text[position + 1]) else {
            return false
        }
        position += 1
        while position < text.count,
            Self.isWord(text[position]) || text[position] == UInt8(ascii: "-")
                || (text[position] == UInt8(ascii: ".") && position + 1 < text.count && Self.isWord(text[position + 1]))
        {
            position += 1
        }
        return true
    }

    private var continuesMail: Bool {
        position > 0 && (Self.isWord(text[position - 1]) || Self.insideMail.contains(text[position - 1]))
    }

    /// Whether no word runs into the current position.
    private var atBorder: Bool { position == 0 || !Self.isWord(text[position - 1]) }

    private static let dashes = [8, 13, 18, 23]
    private static let dotOrUnderscore = Array("._".utf8)
    private static let insideMail = Array("._+-".utf8)
    private static let endsPath = Array("\"'`)]}>,;|".utf8)

    /// “…”, „…“ and «…» as "…": Foundation's messages quote so.
    private static func withPlainQuotes(_ bytes: [UInt8]) -> [UInt8] {
        guard bytes.contains(where: { $0 >= 0x80 }) else { return bytes }
        var plain: [UInt8] = []
        var rest = bytes[...]
        while let byte = rest.first {
            if let quote = quotes.first(where: { rest.starts(with: $0) }) {
                plain.append(UInt8(ascii: "\""))
                rest = rest.dropFirst(quote.count)
            } else {
                plain.append(byte)
                rest = rest.dropFirst()
            }
        }
        return plain
    }

    private static let quotes = ["“", "”", "„", "«", "»"].map { Array($0.utf8) }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private static func isWord(_ byte: UInt8) -> Bool {
        isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) || byte >= 0x80
    }
}
