/// What the escapes of a JSON string stand for.
enum JSONEscape {
    /// The number of `\uXXXX` at `i`; nil when that is not there.
    static func unit(at i: Int, _ text: borrowing Span<UInt8>) -> UInt16? {
        guard i + 6 <= text.count, text[i] == UInt8(ascii: "\\"), text[i + 1] == UInt8(ascii: "u") else { return nil }
        var unit: UInt16 = 0
        for offset in 2..<6 {
            guard let digit = Hex.value(text[i + offset]) else { return nil }
            unit = unit << 4 | UInt16(digit)
        }
        return unit
    }

    /// Appends a string's bytes with its escapes resolved. The range must have passed ``JSONScanner``.
    static func append(_ text: borrowing Span<UInt8>, _ range: Range<Int>, to bytes: inout [UInt8]) {
        var i = range.lowerBound
        while i < range.upperBound {
            guard text[i] == UInt8(ascii: "\\") else {
                bytes.append(text[i])
                i += 1
                continue
            }
            if let high = unit(at: i, text) {
                var scalar = UInt32(high)
                i += 6
                if 0xD800...0xDBFF ~= high, let low = unit(at: i, text) {
                    scalar = 0x10000 + (scalar - 0xD800) << 10 + (UInt32(low) - 0xDC00)
                    i += 6
                }
                if let scalar = Unicode.Scalar(scalar) { bytes.append(contentsOf: String(scalar).utf8) }
                continue
            }
            bytes.append(plain(text[i + 1]))
            i += 2
        }
    }

    private static func plain(_ letter: UInt8) -> UInt8 {
        switch letter {
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0C
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "r"): 0x0D
        case UInt8(ascii: "t"): 0x09
        default: letter
        }
    }
}

enum Hex {
    static func value(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
