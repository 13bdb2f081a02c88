/// Takes secrets out of what servers say: some of them send back what they were sent.
struct Redactor: Sendable {
    private static let mark = Array("[redacted]".utf8)
    /// Shorter ones are no secrets, and would be found everywhere.
    private static let shortest = 4

    /// The longest first, so that one that holds another goes whole.
    private let secrets: [[UInt8]]

    init(secrets: [String]) {
        var all: Set<String> = []
        for secret in secrets where secret.utf8.count >= Self.shortest {
            all.insert(secret)
            // As it stands in a JSON string, and in an address.
            let quoted = secret.reduce(into: "") { text, character in
                if character == "\"" || character == "\\" { text += "\\" }
                text.append(character)
            }
            all.insert(quoted)
            all.insert(quoted.split(separator: "/", omittingEmptySubsequences: false).joined(separator: "\\/"))
            all.insert(URLTemplate.encoded(secret))
        }
        self.secrets = all.map { Array($0.utf8) }.sorted { $0.count > $1.count }
    }

    func clean(_ text: String) -> String {
        secrets.isEmpty ? text : String(decoding: clean(Array(text.utf8), isCut: false), as: UTF8.self)
    }

    /// - Parameter isCut: whether more followed; a secret that was cut in two at the end goes, too.
    func clean(_ bytes: [UInt8], isCut: Bool) -> [UInt8] {
        guard !secrets.isEmpty else { return bytes }
        var clean: [UInt8] = []
        clean.reserveCapacity(bytes.count)
        var i = 0
        next: while i < bytes.count {
            for secret in secrets where bytes[i] == secret[0] {
                let rest = bytes[i...].prefix(secret.count)
                if rest.elementsEqual(secret) || (isCut && rest.count >= Self.shortest && secret.starts(with: rest)) {
                    clean += Self.mark
                    i += rest.count
                    continue next
                }
            }
            clean.append(bytes[i])
            i += 1
        }
        return clean
    }
}
