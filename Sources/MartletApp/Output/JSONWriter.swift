import MartletCore

/// One JSON object, keys in the order they are written. Args and results go in as the bytes they are.
package struct JSONWriter: Sendable {
    private var body: [UInt8] = []

    package init() {}

    package var bytes: [UInt8] { [UInt8(ascii: "{")] + body + [UInt8(ascii: "}")] }

    package mutating func field(_ key: String, _ value: String?) {
        begin(key)
        if let value { Self.append(value, to: &body) } else { null() }
    }

    package mutating func field(_ key: String, _ value: Int64?) {
        begin(key)
        if let value { body += Array(String(value).utf8) } else { null() }
    }

    package mutating func field(_ key: String, _ value: Int?) { field(key, value.map(Int64.init)) }

    package mutating func field(_ key: String, _ value: Bool) {
        begin(key)
        body += Array((value ? "true" : "false").utf8)
    }

    package mutating func field(_ key: String, _ value: Timestamp?) { field(key, value?.rfc3339) }

    /// As seconds, to the millisecond.
    package mutating func seconds(_ key: String, _ value: Duration?) {
        begin(key)
        guard let value else { return null() }
        let milliseconds = max(0, value.milliseconds)
        let fraction = String(1_000 + milliseconds % 1_000).dropFirst()
        body += Array("\(milliseconds / 1_000).\(fraction)".utf8)
    }

    /// To three digits behind the point, as many as are not zero.
    package mutating func number(_ key: String, _ value: Double?) {
        begin(key)
        if let value { Self.append(value, to: &body) } else { null() }
    }

    package mutating func numbers(_ key: String, _ values: [Double]) { array(key, values) { Self.append($0, to: &$1) } }

    package mutating func field(_ key: String, _ value: JSONText?) {
        begin(key)
        guard let value else { return null() }
        // In valid JSON a raw line break stands only between tokens; there a space means the same, and a line stays a line.
        body += value.utf8.map { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") ? UInt8(ascii: " ") : $0 }
    }

    package mutating func field(_ key: String, _ value: JSONWriter?) {
        begin(key)
        if let value { body += value.bytes } else { null() }
    }

    package mutating func field(_ key: String, _ values: [JSONWriter]) { array(key, values) { $1 += $0.bytes } }

    package mutating func field(_ key: String, _ values: [String]?) {
        guard let values else {
            begin(key)
            return null()
        }
        array(key, values) { Self.append($0, to: &$1) }
    }

    package mutating func array(_ key: String, _ values: [Int64]) {
        array(key, values) { $1 += Array(String($0).utf8) }
    }

    private mutating func array<T>(_ key: String, _ values: [T], _ append: (T, inout [UInt8]) -> Void) {
        begin(key)
        body.append(UInt8(ascii: "["))
        for (index, value) in values.enumerated() {
            if index > 0 { body.append(UInt8(ascii: ",")) }
            append(value, &body)
        }
        body.append(UInt8(ascii: "]"))
    }

    private mutating func begin(_ key: String) {
        if !body.isEmpty { body.append(UInt8(ascii: ",")) }
        Self.append(key, to: &body)
        body.append(UInt8(ascii: ":"))
    }

    private static func append(_ value: Double, to bytes: inout [UInt8]) {
        let thousandths = Int64((value * 1_000).rounded())
        var fraction = String(1_000 + thousandths.magnitude % 1_000).dropFirst()
        while fraction.last == "0" { fraction.removeLast() }
        let whole = thousandths.magnitude / 1_000
        bytes += Array("\(thousandths < 0 ? "-" : "")\(whole)\(fraction.isEmpty ? "" : ".\(fraction)")".utf8)
    }

    private mutating func null() { body += Array("null".utf8) }

    /// Control characters are escaped, also those that JSON would allow (DEL, C1): the line may be looked at in a terminal.
    private static func append(_ text: String, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": bytes += Array("\\\"".utf8)
            case "\\": bytes += Array("\\\\".utf8)
            case "\n": bytes += Array("\\n".utf8)
            case "\r": bytes += Array("\\r".utf8)
            case "\t": bytes += Array("\\t".utf8)
            case "\0"..<" ", "\u{7F}"..<"\u{A0}":
                bytes += Array(("\\u" + String(0x10000 + scalar.value, radix: 16).dropFirst()).utf8)
            default: bytes += Array(String(scalar).utf8)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
