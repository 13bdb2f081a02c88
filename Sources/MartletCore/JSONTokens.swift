/// Strings and numbers: the two tokens of JSON with an inside.
extension JSONScanner {
    /// Reads a string whose opening quote has been read.
    /// - Returns: whether it has escapes.
    mutating func string(_ text: borrowing Span<UInt8>) throws(JSONFlaw) -> Bool {
        var escaped = false
        var i = position
        while i < text.count {
            let byte = text[i]
            if byte >= 0x80 {
                i += try characterLength(at: i, text)
            } else if byte == UInt8(ascii: "\"") {
                position = i + 1
                return escaped
            } else if byte == UInt8(ascii: "\\") {
                escaped = true
                i += try escapeLength(at: i, text)
            } else if byte < 0x20 {
                throw JSONFlaw(byte == 0 ? .nul : .control(byte), at: i)
            } else {
                i += 1
            }
        }
        throw JSONFlaw(.cutShort(expected: "'\"' at the end of a string"), at: i)
    }

    /// Length of a well-formed multi-byte character, by the table of the Unicode standard (3-7): nothing overlong, no
    /// surrogates, nothing above U+10FFFF.
    private func characterLength(at i: Int, _ text: borrowing Span<UInt8>) throws(JSONFlaw) -> Int {
        func byte(_ offset: Int) -> UInt8 { i + offset < text.count ? text[i + offset] : 0 }
        let second: ClosedRange<UInt8>
        let length: Int
        switch text[i] {
        case 0xC2...0xDF: (second, length) = (0x80...0xBF, 2)
        case 0xE0: (second, length) = (0xA0...0xBF, 3)
        case 0xED: (second, length) = (0x80...0x9F, 3)
        case 0xE1...0xEF: (second, length) = (0x80...0xBF, 3)
        case 0xF0: (second, length) = (0x90...0xBF, 4)
        case 0xF1...0xF3: (second, length) = (0x80...0xBF, 4)
        case 0xF4: (second, length) = (0x80...0x8F, 4)
        default: throw JSONFlaw(.invalidUTF8, at: i)
        }
        var valid = second.contains(byte(1))
        if length > 2 { valid = valid && byte(2) & 0xC0 == 0x80 }
        if length > 3 { valid = valid && byte(3) & 0xC0 == 0x80 }
        guard valid else { throw JSONFlaw(.invalidUTF8, at: i) }
        return length
    }

    private func escapeLength(at i: Int, _ text: borrowing Span<UInt8>) throws(JSONFlaw) -> Int {
        guard i + 1 < text.count else { throw JSONFlaw(.cutShort(expected: "the rest of an escape"), at: i + 1) }
        switch text[i + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            return 2
        case UInt8(ascii: "u"):
            guard let unit = JSONEscape.unit(at: i, text) else { throw JSONFlaw(.badEscape, at: i) }
            switch unit {
            case 0: throw JSONFlaw(.nul, at: i)
            case 0xD800...0xDBFF:
                guard let low = JSONEscape.unit(at: i + 6, text), 0xDC00...0xDFFF ~= low else {
                    throw JSONFlaw(.loneSurrogate, at: i)
                }
                return 12
            case 0xDC00...0xDFFF: throw JSONFlaw(.loneSurrogate, at: i)
            default: return 6
            }
        default: throw JSONFlaw(.badEscape, at: i)
        }
    }

    mutating func number(_ text: borrowing Span<UInt8>) throws(JSONFlaw) {
        let start = position
        if text[position] == UInt8(ascii: "-") { position += 1 }
        let integer = position
        try digits(text)
        if text[integer] == UInt8(ascii: "0"), position > integer + 1 {
            throw JSONFlaw(.leadingZero, at: start)
        }
        // Fewer digits than the greatest Double has cannot exceed it, unless an exponent says so.
        var mayOverflow = position - integer > 308
        if position < text.count, text[position] == UInt8(ascii: ".") {
            position += 1
            try digits(text)
        }
        if position < text.count, text[position] | 0x20 == UInt8(ascii: "e") {
            mayOverflow = true
            position += 1
            if position < text.count, text[position] == UInt8(ascii: "-") || text[position] == UInt8(ascii: "+") {
                position += 1
            }
            try digits(text)
        }
        if mayOverflow, !JSONMagnitude.fitsDouble(text, start..<position) {
            throw JSONFlaw(.beyondDouble, at: start)
        }
    }

    private mutating func digits(_ text: borrowing Span<UInt8>) throws(JSONFlaw) {
        let start = position
        var i = position
        while i < text.count, UInt8(ascii: "0")...UInt8(ascii: "9") ~= text[i] { i += 1 }
        position = i
        if i == start { throw unexpected(text, expected: "a digit") }
    }
}

/// Whether a number written in decimal is too great for a Double. Too small is not: it reads as zero.
enum JSONMagnitude {
    static func fitsDouble(_ text: borrowing Span<UInt8>, _ number: Range<Int>) -> Bool {
        var significant: [UInt8] = []
        /// Place of the first digit that is not zero: 0 for units, -1 for tenths.
        var place = -1
        var pointSeen = false
        var exponent = 0
        var i = number.lowerBound
        scan: while i < number.upperBound {
            switch text[i] {
            case UInt8(ascii: "."): pointSeen = true
            case UInt8(ascii: "e"), UInt8(ascii: "E"):
                exponent = readExponent(text, i + 1..<number.upperBound)
                break scan
            case UInt8(ascii: "-"): break
            default:
                if significant.isEmpty, text[i] == UInt8(ascii: "0") {
                    if pointSeen { place -= 1 }
                } else {
                    if !pointSeen { place = significant.isEmpty ? 0 : place + 1 }
                    // The border between the greatest Double and infinity has 309 digits: more do not decide.
                    if significant.count < 320 { significant.append(text[i]) }
                }
            }
            i += 1
        }
        guard !significant.isEmpty else { return true }
        place += exponent
        guard place == 308 else { return place < 308 }
        significant.insert(UInt8(ascii: "."), at: 1)
        significant.append(contentsOf: "0e308".utf8)
        return Double(String(decoding: significant, as: UTF8.self))?.isFinite ?? false
    }

    /// Saturates far beyond any text's length, so that a long fraction can still outweigh it exactly as it should.
    private static func readExponent(_ text: borrowing Span<UInt8>, _ range: Range<Int>) -> Int {
        var value = 0
        var negative = false
        for i in range {
            switch text[i] {
            case UInt8(ascii: "-"): negative = true
            case UInt8(ascii: "+"): break
            default: value = min(value * 10 + Int(text[i] - UInt8(ascii: "0")), 1 << 56)
            }
        }
        return negative ? -value : value
    }
}
