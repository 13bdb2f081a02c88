/// Keeps secrets out of what is written down when a run fails.
///
/// Two looks at a text: values that the job's args hold under a secret key are replaced wherever they stand, and so is what
/// follows a secret key in a form that people and programs write: `"token": "…"`, `token=…`, `Authorization: Bearer …`. A key is
/// secret when it ends in one of the names, whatever its case and its `-` and `_`: `password` also means `db_password`.
public struct Redaction: Sendable, Equatable {
    public static let mark = "[redacted]"

    public static let defaultKeys: Set<String> = [
        "password", "passwd", "passphrase", "secret", "secret_key", "private_key", "access_key", "api_key", "token",
        "authorization", "cookie", "credential", "credentials",
    ]

    /// Shorter values of args are left where they stand without their key: replacing every `1` of a text hides no secret.
    private static let shortest = 4

    private let names: Set<String>

    /// - Parameter keys: an empty set redacts nothing.
    public init(keys: Set<String> = Redaction.defaultKeys) { names = Set(keys.map(Self.plain)).subtracting([""]) }

    public func isSecret(key: some StringProtocol) -> Bool {
        let key = Self.plain(key)
        return names.contains { key.hasSuffix($0) }
    }

    private static func plain(_ key: some StringProtocol) -> String {
        String(String.UnicodeScalarView(key.unicodeScalars.filter { $0 != "_" && $0 != "-" })).lowercased()
    }

    /// - Parameter args: of the job the text is about.
    public func text(_ text: String, args: JSONText) -> String {
        guard !names.isEmpty else { return text }
        return redact(text, values: secrets(in: args))
    }

    package func error(_ error: JobError, args: JSONText) -> JobError {
        guard !names.isEmpty else { return error }
        let values = secrets(in: args)
        return JobError(
            type: error.type, message: redact(error.message, values: values),
            detail: error.detail.map { redact($0, values: values) })
    }

    private func redact(_ text: String, values: [String]) -> String {
        let text = values.reduce(text) { $0.replacing($1, with: Self.mark) }
        return RedactedPairs(text, isSecret: { isSecret(key: $0) }).text
    }

    /// What stands under secret keys, as it is and as JSON writes it, the longest first.
    private func secrets(in args: JSONText) -> [String] {
        var values: Set<String> = []
        var walk = SecretWalk(args.utf8)
        walk.run(isSecret: { isSecret(key: $0) }) { values.insert($0) }
        return values.filter { $0.utf8.count >= Self.shortest && !["true", "false", "null"].contains($0) }
            .sorted { ($0.utf8.count, $0) > ($1.utf8.count, $1) }
    }
}

/// Walks valid JSON and tells the scalars that stand under a secret key, at any depth below it.
private struct SecretWalk {
    private enum Level {
        case object(isSecret: Bool, key: String?)
        case array(isSecret: Bool)

        var isSecret: Bool {
            switch self {
            case .object(let isSecret, _), .array(let isSecret): isSecret
            }
        }
    }

    private let bytes: [UInt8]
    private var at = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func run(isSecret: (String) -> Bool, found: (String) -> Void) {
        var levels: [Level] = []
        var secret: Bool {
            guard case .object(let above, let key) = levels.last else { return levels.last?.isSecret ?? false }
            return above || (key.map(isSecret) ?? false)
        }
        while at < bytes.count {
            switch bytes[at] {
            case UInt8(ascii: "{"):
                levels.append(.object(isSecret: secret, key: nil))
                at += 1
            case UInt8(ascii: "["):
                levels.append(.array(isSecret: secret))
                at += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                _ = levels.popLast()
                at += 1
                leaveKey(&levels)
            case UInt8(ascii: "\""):
                let (raw, text) = string()
                if case .object(let above, nil) = levels.last {
                    levels[levels.count - 1] = .object(isSecret: above, key: text)
                } else {
                    if secret {
                        found(text)
                        if raw != text { found(raw) }
                    }
                    leaveKey(&levels)
                }
            case UInt8(ascii: " "), UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "\t"), UInt8(ascii: ","),
                UInt8(ascii: ":"):
                at += 1
            default:
                let start = at
                while at < bytes.count, !", ]}\n\r\t".utf8.contains(bytes[at]) { at += 1 }
                if secret { found(String(decoding: bytes[start..<at], as: UTF8.self)) }
                leaveKey(&levels)
            }
        }
    }

    private func leaveKey(_ levels: inout [Level]) {
        guard case .object(let isSecret, .some) = levels.last else { return }
        levels[levels.count - 1] = .object(isSecret: isSecret, key: nil)
    }

    /// Between its quotes, as written and as meant.
    private mutating func string() -> (raw: String, text: String) {
        at += 1
        let start = at
        var units: [UInt16] = []
        var text = ""
        var plain = at
        func flush(_ end: Int) { text += String(decoding: bytes[plain..<end], as: UTF8.self) }
        while at < bytes.count, bytes[at] != UInt8(ascii: "\"") {
            guard bytes[at] == UInt8(ascii: "\\"), at + 1 < bytes.count else {
                at += 1
                continue
            }
            flush(at)
            if bytes[at + 1] == UInt8(ascii: "u") {
                // All escapes in a row at once: two of them may be one character.
                units = []
                while at + 6 <= bytes.count, bytes[at] == UInt8(ascii: "\\"), bytes[at + 1] == UInt8(ascii: "u") {
                    units.append(UInt16(String(decoding: bytes[(at + 2)..<(at + 6)], as: UTF8.self), radix: 16) ?? 0xFFFD)
                    at += 6
                }
                // Cut short: not JSON, and not worth more than going on.
                if units.isEmpty { at += 2 }
                text += String(decoding: units, as: UTF16.self)
            } else {
                text.unicodeScalars.append(Self.meaning(bytes[at + 1]))
                at += 2
            }
            plain = at
        }
        flush(min(at, bytes.count))
        let raw = String(decoding: bytes[start..<min(at, bytes.count)], as: UTF8.self)
        at += 1
        return (raw, text)
    }

    private static func meaning(_ byte: UInt8) -> Unicode.Scalar {
        switch byte {
        case UInt8(ascii: "n"): "\n"
        case UInt8(ascii: "t"): "\t"
        case UInt8(ascii: "r"): "\r"
        case UInt8(ascii: "b"): "\u{8}"
        case UInt8(ascii: "f"): "\u{C}"
        default: Unicode.Scalar(byte)
        }
    }
}
