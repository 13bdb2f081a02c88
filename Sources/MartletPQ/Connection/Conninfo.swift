import CPostgres

/// How to reach a server: anything libpq takes, a URL or `key=value` words. May hold a password; `shown` never does.
package struct Conninfo: Sendable {
    /// As libpq takes it.
    package let string: String
    /// What the string says of a pooler, in a word that is ours.
    package let pooler: Pooler?
    /// For people: the same without passwords.
    package let shown: String

    /// - Throws: `.invalid`, when libpq cannot parse it, or is not there.
    package init(_ string: String) throws(PQError) {
        try Libpq.load()
        let (string, pooler) = try Pooler.take(from: string)
        var message: UnsafeMutablePointer<CChar>?
        guard let options = pq.PQconninfoParse(string, &message) else {
            defer { pq.PQfreemem(message) }
            throw PQError(.invalid, "the connection string cannot be read: \(Self.withoutQuotes(text(message)))")
        }
        defer { pq.PQconninfoFree(options) }
        self.string = string
        self.pooler = pooler
        shown = Self.render(Self.given(options), isURL: Pooler.isURL(string))
    }

    /// libpq quotes the part that it did not understand, which may be the password.
    private static func withoutQuotes(_ message: String) -> String {
        message.replacing(#/"[^"]*"/#, with: "…").replacing("\n", with: "")
    }

    /// Parameters of a URL that are neither libpq's nor ours; for whoever wonders why it cannot be read. Nothing that may be
    /// part of a password.
    package static func unknownParameters(of url: String) -> [String] {
        guard Pooler.isURL(url), let mark = Pooler.query(in: url) else { return [] }
        let query = url[url.index(after: mark)...]
        guard !query.contains("@") else { return [] }
        let known = Set(parameters)
        return query.split(separator: "&").compactMap { $0.wholeMatch(of: #/([A-Za-z0-9_]{1,40})=.*/#).map { String($0.1) } }
            .filter { !known.contains($0) }
    }

    /// The words that a connection string may have, by name.
    package static let parameters: [String] = {
        guard let options = pq.PQconndefaults() else { return [Pooler.word] }
        defer { pq.PQconninfoFree(options) }
        var names = [Pooler.word]
        var option = options
        while let name = option.pointee.keyword {
            names.append(String(cString: name))
            option += 1
        }
        return names.sorted()
    }()

    private struct Option {
        let name: String
        let value: String
        let isSecret: Bool
    }

    private static func given(_ options: UnsafeMutablePointer<PQconninfoOption>) -> [Option] {
        var given: [Option] = []
        var option = options
        while let name = option.pointee.keyword {
            if let value = option.pointee.val {
                // libpq marks with a star what a form should not show.
                let isSecret = text(option.pointee.dispchar) == "*"
                given.append(Option(name: String(cString: name), value: String(cString: value), isSecret: isSecret))
            }
            option += 1
        }
        return given
    }

    private static func render(_ options: [Option], isURL: Bool) -> String {
        guard isURL else {
            return options.map { option in
                "\(option.name)=\(option.isSecret ? "***" : quoted(option.value))"
            }.joined(separator: " ")
        }
        var rest = Dictionary(uniqueKeysWithValues: options.map { ($0.name, $0) })
        func take(_ name: String) -> String? { rest.removeValue(forKey: name)?.value }
        var url = "postgres://"
        if let user = take("user") { url += escaped(user) }
        if take("password") != nil { url += ":***" }
        if url.count > "postgres://".count { url += "@" }
        url += places(take("host"), ports: take("port"))
        if let name = take("dbname") { url += "/" + escaped(name) }
        let words = options.filter { rest[$0.name] != nil }.map { "\($0.name)=\($0.isSecret ? "***" : escaped($0.value))" }
        return words.isEmpty ? url : "\(url)?\(words.joined(separator: "&"))"
    }

    private static func places(_ hosts: String?, ports: String?) -> String {
        let hosts = hosts?.split(separator: ",", omittingEmptySubsequences: false).map(String.init) ?? [""]
        let ports = ports?.split(separator: ",", omittingEmptySubsequences: false).map(String.init) ?? []
        return hosts.enumerated().map { index, host in
            let shownHost = host.contains(":") ? "[\(host)]" : escaped(host)
            let port = ports.count == 1 ? ports[0] : index < ports.count ? ports[index] : ""
            return port.isEmpty ? shownHost : "\(shownHost):\(port)"
        }.joined(separator: ",")
    }

    private static func quoted(_ value: String) -> String {
        guard value.isEmpty || value.contains(where: { $0 == " " || $0 == "'" || $0 == "\\" }) else { return value }
        return "'\(value.replacing("\\", with: "\\\\").replacing("'", with: "\\'"))'"
    }

    private static func escaped(_ value: String) -> String {
        value.utf8.map { byte in
            let character = Character(UnicodeScalar(byte))
            let isPlain = byte < 0x80 && (character.isLetter || character.isNumber || "-._~".contains(character))
            return isPlain ? String(character) : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
        }.joined()
    }
}
