import MartletCore

/// An address with places that a job fills: `https://example.com/users/{user}?lang={lang}`.
///
/// Jobs come from strangers, so a field can do nothing but be itself: it may stand in path and query alone, everything in it
/// but letters, digits and `-._~` is percent-encoded, and a value that would make a segment empty, `.` or `..`, also for
/// servers that decode first and look for segments later, is refused.
struct URLTemplate: Sendable, Equatable {
    enum Piece: Sendable, Equatable {
        case text(String)
        case field(String)
    }

    let isSecure: Bool
    /// As it is connected to: lower case, without the brackets of an IPv6 address.
    let host: String
    let port: Int
    /// Scheme, host and port, as they are shown.
    let origin: String
    /// Segments of the path, without the slashes before each.
    let path: [[Piece]]
    /// With its question mark.
    let query: [Piece]

    init(parsing text: String, field: String) throws(InvalidInput) {
        func refused(_ reason: String) -> InvalidInput { InvalidInput(field: field, reason: reason) }
        let rest: Substring
        if text.lowercased().hasPrefix("https://") {
            (isSecure, rest) = (true, text.dropFirst(8))
        } else if text.lowercased().hasPrefix("http://") {
            (isSecure, rest) = (false, text.dropFirst(7))
        } else {
            throw refused("does not begin with http:// or https://")
        }
        let authority = rest.prefix { !"/?#".contains($0) }
        let tail = rest.dropFirst(authority.count)
        (host, port) = try Self.authority(authority, isSecure: isSecure, field: field)
        origin = "http\(isSecure ? "s" : "")://" + authority.lowercased()
        guard !tail.contains("#") else { throw refused("has a fragment, #…, which is never sent") }
        let path = tail.prefix { $0 != "?" }
        var segments: [[Piece]] = []
        for segment in path.split(separator: "/", omittingEmptySubsequences: false).dropFirst() {
            segments.append(try Self.pieces(segment, field: field))
        }
        self.path = segments
        query = try Self.pieces(tail.dropFirst(path.count), field: field)
    }

    /// What may be shown to people: a query often holds what is nobody's business.
    var display: String {
        origin
            + path.map { segment in
                "/"
                    + segment.map { piece in
                        switch piece {
                        case .text(let text): text
                        case .field(let name): "{\(name)}"
                        }
                    }.joined()
            }.joined()
    }

    // MARK: Parsing

    private static func authority(
        _ text: Substring, isSecure: Bool, field: String
    ) throws(InvalidInput) -> (host: String, port: Int) {
        func refused(_ reason: String) -> InvalidInput { InvalidInput(field: field, reason: reason) }
        guard !text.contains("{"), !text.contains("}") else {
            throw refused("has a field in its host or port; fields may stand in path and query only")
        }
        guard !text.contains("@") else {
            throw refused("has a user or password before its host; send them in the header Authorization")
        }
        var host = text
        var port = isSecure ? 443 : 80
        if let colon = text.lastIndex(of: ":"), !text.hasSuffix("]") {
            let digits = text[text.index(after: colon)...]
            guard let number = Int(digits), digits.utf8.allSatisfy({ (48...57).contains($0) }), (1...65_535).contains(number)
            else { throw refused("has no port after its colon; 1 to 65535") }
            (host, port) = (text[..<colon], number)
        }
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
            guard IPAddress(String(host))?.bytes.count == 16 else { throw refused("has no IPv6 address in its brackets") }
            return (host.lowercased(), port)
        }
        guard !host.isEmpty else { throw refused("names no host") }
        guard host.utf8.count <= 253, host.utf8.allSatisfy({ isUnreserved($0) && $0 != UInt8(ascii: "~") }) else {
            throw refused("\(String(host).debugDescription) is no host name; names beyond ASCII are written xn--…")
        }
        return (host.lowercased(), port)
    }

    private static func pieces(_ text: Substring, field: String) throws(InvalidInput) -> [Piece] {
        var pieces: [Piece] = []
        var rest = text
        while !rest.isEmpty {
            let plain = rest.prefix { $0 != "{" }
            if !plain.isEmpty {
                try check(plain, field: field)
                pieces.append(.text(String(plain)))
            }
            rest = rest.dropFirst(plain.count)
            guard !rest.isEmpty else { break }
            let name = rest.dropFirst().prefix { $0 != "}" && $0 != "{" }
            guard rest.dropFirst(name.count + 1).first == "}", !name.isEmpty else {
                throw InvalidInput(field: field, reason: "has a { that no name and } follow; a brace itself is written %7B")
            }
            pieces.append(.field(String(name)))
            rest = rest.dropFirst(name.count + 2)
        }
        return pieces
    }

    private static func check(_ text: Substring, field: String) throws(InvalidInput) {
        let bytes = Array(text.utf8)
        for (i, byte) in bytes.enumerated() {
            if byte == UInt8(ascii: "%") {
                guard i + 2 < bytes.count, isHex(bytes[i + 1]), isHex(bytes[i + 2]) else {
                    throw InvalidInput(field: field, reason: "has a % without two hexadecimal digits after it")
                }
            } else if !isUnreserved(byte), !"/?:@!$&'()*+,;=".utf8.contains(byte) {
                let name = String(text.unicodeScalars.first { $0.utf8.first == byte }.map(Character.init) ?? "?")
                throw InvalidInput(field: field, reason: "has \(name.debugDescription), which has to be percent-encoded")
            }
        }
    }

    // MARK: Filling in

    /// The address for one job.
    /// - Throws: ``InvalidInput`` whose field is the one of args.
    func expanded(_ args: JSONText) throws(InvalidInput) -> String {
        var url = origin
        guard !fields.isEmpty else {
            for segment in path { url += "/" + Self.joined(segment) }
            return url + Self.joined(query)
        }
        let values = try ArgsFields(args, fields)
        for name in fields.sorted() where values[name].utf8.count * 3 > Self.longest {
            throw InvalidInput(field: name, reason: "is too long for an address")
        }
        for segment in path {
            url += "/"
            var names: [String] = []
            var encoded = ""
            for piece in segment {
                switch piece {
                case .text(let text): encoded += text
                case .field(let name):
                    let value = values[name]
                    guard !value.isEmpty else { throw InvalidInput(field: name, reason: "is empty, and stands in a path") }
                    names.append(name)
                    encoded += Self.encoded(value)
                }
            }
            if let name = names.first, Self.climbs(encoded) {
                throw InvalidInput(field: name, reason: "would lead the path elsewhere")
            }
            url += encoded
        }
        for piece in query {
            switch piece {
            case .text(let text): url += text
            case .field(let name): url += Self.encoded(values[name])
            }
        }
        return url
    }

    /// What most servers take. Longer values belong in the body, where they are anyway.
    static let longest = 8_000

    var fields: Set<String> {
        var fields: Set<String> = []
        for case .field(let name) in path.joined() { fields.insert(name) }
        for case .field(let name) in query { fields.insert(name) }
        return fields
    }

    private static func joined(_ pieces: [Piece]) -> String {
        pieces.map { piece in
            switch piece {
            case .text(let text): text
            case .field(let name): preconditionFailure("\(name) has no value")
            }
        }.joined()
    }

    static func encoded(_ value: String) -> String {
        var bytes: [UInt8] = []
        let digits = Array("0123456789ABCDEF".utf8)
        for byte in value.utf8 {
            if isUnreserved(byte) {
                bytes.append(byte)
            } else {
                bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Whether a segment, once somebody has decoded it, and somebody behind them once more, holds a step that is `.` or `..`.
    /// What follows a semicolon is a parameter to some servers, and no part of the step.
    private static func climbs(_ segment: String) -> Bool {
        var text = segment
        for _ in 0..<4 {
            let steps = text.split(omittingEmptySubsequences: false) { $0 == "/" || $0 == "\\" }
            if steps.contains(where: { [".", ".."].contains($0.prefix { $0 != ";" }) }) { return true }
            let decoded = decodedOnce(text)
            if decoded == text { return false }
            text = decoded
        }
        return false
    }

    private static func decodedOnce(_ text: String) -> String {
        let bytes = Array(text.utf8)
        var decoded: [UInt8] = []
        var i = 0
        while i < bytes.count {
            if bytes[i] == UInt8(ascii: "%"), i + 2 < bytes.count, isHex(bytes[i + 1]), isHex(bytes[i + 2]) {
                decoded.append(UInt8(String(decoding: bytes[i + 1...i + 2], as: UTF8.self), radix: 16)!)
                i += 3
            } else {
                decoded.append(bytes[i])
                i += 1
            }
        }
        return String(decoding: decoded, as: UTF8.self)
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }

    private static func isHex(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }
}
