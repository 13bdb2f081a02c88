/// Kind and queue names: 1–128 bytes of letters, digits and `_ - . : /`, starting with a letter or a digit.
///
/// They stand in log lines, metrics labels, URLs and shell commands, so nothing that needs quoting there is let in.
public enum Name {
    public static func validate(_ name: String, field: String) throws(InvalidInput) {
        let utf8 = name.utf8
        guard let first = utf8.first else { throw InvalidInput(field: field, reason: "is empty") }
        guard utf8.count <= Limits.nameBytes else {
            throw InvalidInput(field: field, reason: "is \(utf8.count) bytes long; at most \(Limits.nameBytes)")
        }
        guard isAlphanumeric(first), utf8.allSatisfy({ isAlphanumeric($0) || punctuation.contains($0) }) else {
            throw InvalidInput(
                field: field,
                reason: "\(name.debugDescription) is not a name: letters, digits and _ - . : / only, a letter or digit first"
            )
        }
    }

    private static let punctuation: [UInt8] = Array("_-.:/".utf8)

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }
}
