import Glibc
import MartletCore

/// Which database, as a person names it: `sqlite:martlet.db`, only the path of a file that ends in `.db`, or a `postgres://` URL.
package enum DatabaseURL: Sendable, Equatable {
    case sqlite(path: String)
    case postgres(PostgresAddress)

    package static let `default` = DatabaseURL.sqlite(path: "martlet.db")
    package static let variable = "MARTLET_DATABASE_URL"
    package static let listenVariable = "MARTLET_LISTEN_DATABASE_URL"

    /// - Parameter field: where the text stands: `--database`, `MARTLET_DATABASE_URL`, `database`.
    /// - Throws: ``InvalidInput``. It names the scheme and never repeats the rest, which may hold a password.
    package init(parsing text: String, field: String) throws(InvalidInput) {
        guard !text.isEmpty else { throw InvalidInput(field: field, reason: "is empty; \(Self.examples)") }
        guard !text.utf8.contains(0) else { throw InvalidInput(field: field, reason: "holds a NUL") }
        guard let scheme = Self.scheme(of: text) else {
            guard text.hasSuffix(".db") || text.hasSuffix(".sqlite") else {
                throw InvalidInput(field: field, reason: "is neither a URL nor a path that ends in .db; \(Self.examples)")
            }
            self = .sqlite(path: text)
            return
        }
        switch scheme {
        case "sqlite":
            self = .sqlite(path: try Self.path(afterSchemeOf: text, field: field))
        case "postgres", "postgresql":
            let (url, schema) = try SchemaName.take(from: text, field: field)
            if let reason = OpenStore.missingForPostgres() { throw InvalidInput(field: field, reason: reason) }
            guard let shown = OpenStore.shown(postgres: url) else {
                if let reason = OpenStore.unknownParameter(postgres: url) {
                    throw InvalidInput(field: field, reason: reason)
                }
                throw InvalidInput(
                    field: field,
                    reason: "\(scheme): is not a URL that libpq can read; for example postgres://user@host:5432/database")
            }
            self = .postgres(PostgresAddress(url: url, schema: schema, shown: shown))
        default:
            let nearest =
                Suggestion.nearest(to: scheme, in: ["sqlite", "postgres", "postgresql"]).map { "; did you mean \($0)?" }
                ?? ""
            throw InvalidInput(
                field: field,
                reason: "unknown scheme \(SafeText.line(scheme)):\(nearest.isEmpty ? "; \(Self.examples)" : nearest)"
            )
        }
    }

    /// A worker's second address, which only PostgreSQL has a use for.
    func listening(field: String) throws(InvalidInput) -> PostgresAddress {
        switch self {
        case .postgres(let address): return address
        case .sqlite: throw InvalidInput(field: field, reason: "is for a PostgreSQL server behind a pooler; postgres://…")
        }
    }

    /// The same database, the queue in another schema.
    func with(schema: String, field: String) throws(InvalidInput) -> DatabaseURL {
        try SchemaName.validate(schema, field: field)
        switch self {
        case .sqlite: throw InvalidInput(field: field, reason: "is for PostgreSQL; an SQLite file has no schemas")
        case .postgres(let address): return .postgres(address.with(schema: schema))
        }
    }

    /// The text for a message. Holds no password.
    package var text: String {
        switch self {
        case .sqlite(let path): "sqlite:\(path)"
        case .postgres(let address): address.description
        }
    }

    /// The same from any directory, so that a message says which file was meant.
    package var located: DatabaseURL {
        switch self {
        case .sqlite(let path):
            guard !path.hasPrefix("/") else { return self }
            guard let here = getcwd(nil, 0) else { return self }
            defer { free(here) }
            let directory = String(cString: here)
            let name = path.hasPrefix("./") ? String(path.dropFirst(2)) : path
            return .sqlite(path: (directory == "/" ? "" : directory) + "/" + name)
        case .postgres:
            return self
        }
    }

    private static let examples = "for example sqlite:martlet.db or postgres://user@host/database"

    /// What stands before the first colon when that reads like a scheme, in small letters.
    private static func scheme(of text: String) -> String? {
        guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")) else { return nil }
        let scheme = text[..<colon]
        guard let first = scheme.first, first.isASCII, first.isLetter,
            scheme.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "+-.".contains($0)) })
        else { return nil }
        return scheme.lowercased()
    }

    /// `sqlite:a.db`, `sqlite:/srv/a.db` and `sqlite:///srv/a.db`.
    private static func path(afterSchemeOf text: String, field: String) throws(InvalidInput) -> String {
        var path = text.drop { $0 != ":" }.dropFirst()
        if path.hasPrefix("///") {
            path = path.dropFirst(2)
        } else if path.hasPrefix("//") {
            throw InvalidInput(
                field: field, reason: "sqlite:// takes no host; write sqlite:relative/path or sqlite:/absolute/path")
        }
        guard !path.isEmpty else { throw InvalidInput(field: field, reason: "sqlite: names no file; \(examples)") }
        guard path != ":memory:" else {
            throw InvalidInput(field: field, reason: "sqlite::memory: would forget every job at exit; name a file")
        }
        return String(path)
    }
}
