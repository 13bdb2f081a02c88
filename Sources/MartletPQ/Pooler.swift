import Synchronization

/// What stands between us and the server, as far as a session can tell. A pooler that lends a session for one transaction
/// leaves nothing to build on: no prepared statements, no LISTEN, no settings.
///
/// Libpq does not know the word; in a connection string it is ours: `?pooler=transaction`.
package enum Pooler: String, Sendable, CaseIterable {
    /// Nobody said: each connection finds out, and takes any pooler for one that lends sessions.
    case auto
    case direct = "none"
    /// The session stays the same from connect to disconnect.
    case session
    /// The session may be another one after each transaction, as with PgBouncer's `pool_mode = transaction`.
    case transaction
}

/// What connections have found out, for whoever wonders.
final class PoolerSightings: Sendable {
    private let last = Atomic(false)

    var isPooled: Bool { last.load(ordering: .relaxed) }

    func note(isPooled: Bool) { last.store(isPooled, ordering: .relaxed) }
}

extension Pooler {
    static let word = "pooler"

    /// Takes the word out of a connection string, for libpq would refuse it.
    /// - Throws: `.invalid` when it names none of the cases.
    static func take(from string: String) throws(PQError) -> (rest: String, pooler: Pooler?) {
        let (rest, value) = isURL(string) ? takeFromURL(string) : takeFromWords(string)
        guard let value else { return (string, nil) }
        guard let pooler = Pooler(rawValue: value) else {
            let names = allCases.map(\.rawValue).joined(separator: ", ")
            throw PQError(.invalid, "the connection string's \(word) is none of \(names)")
        }
        return (rest, pooler)
    }

    static func isURL(_ string: String) -> Bool {
        string.hasPrefix("postgres://") || string.hasPrefix("postgresql://")
    }

    /// The query begins at the first question mark behind user and password, which may hold one.
    static func query(in url: String) -> String.Index? {
        let authority = url[url.firstRange(of: "://")!.upperBound...]
        let credentials = authority.firstIndex { $0 == "@" || $0 == "/" }.flatMap { authority[$0] == "@" ? $0 : nil }
        return url[(credentials ?? authority.startIndex)...].firstIndex(of: "?")
    }

    private static func takeFromURL(_ url: String) -> (String, String?) {
        guard let mark = query(in: url) else { return (url, nil) }
        let words = url[url.index(after: mark)...].split(separator: "&", omittingEmptySubsequences: false)
        let others = words.filter { !$0.hasPrefix("\(word)=") }
        guard let own = words.last(where: { $0.hasPrefix("\(word)=") }) else { return (url, nil) }
        let query = others.joined(separator: "&")
        return (url[..<mark] + (query.isEmpty ? "" : "?" + query), String(own.dropFirst(word.count + 1)))
    }

    /// `key=value` words, where a value in quotes may hold anything.
    private static func takeFromWords(_ string: String) -> (String, String?) {
        var value: String?
        let pattern = #/(?<name>[a-z_]+)\s*=\s*(?<value>'(?:[^'\\]|\\.)*'|(?:[^\s\\]|\\.)*)/#
        let rest = string.replacing(pattern) { match in
            guard match.name == word else { return String(match.0) }
            value =
                match.value.trimmingPrefix("'").hasSuffix("'")
                ? String(match.value.dropFirst().dropLast()) : String(match.value)
            return ""
        }
        return (rest, value)
    }
}
