import Foundation
import MartletCore

/// The PostgreSQL schema that holds the queue: `--schema`, or `schema=` among the parameters of a URL, which is not libpq's.
enum SchemaName {
    /// PostgreSQL cuts names after 63 bytes; the roles are called after the schema, with up to nine more.
    private static let bytes = 54

    static let parameter = "schema"

    static func validate(_ name: String, field: String) throws(InvalidInput) {
        guard !name.isEmpty else { throw InvalidInput(field: field, reason: "is empty") }
        guard name.utf8.count <= bytes else {
            throw InvalidInput(field: field, reason: "is \(name.utf8.count) bytes long; at most \(bytes)")
        }
        guard !name.utf8.contains(0) else { throw InvalidInput(field: field, reason: "holds a NUL") }
        guard !name.hasPrefix("pg_") else {
            throw InvalidInput(field: field, reason: "begins with pg_, which PostgreSQL keeps for itself")
        }
    }

    /// - Returns: the URL as libpq takes it, and the schema that it named.
    static func take(from url: String, field: String) throws(InvalidInput) -> (url: String, schema: String?) {
        guard let mark = url.firstIndex(of: "?") else { return (url, nil) }
        var rest: [Substring] = []
        var schema: String?
        for item in url[url.index(after: mark)...].split(separator: "&", omittingEmptySubsequences: false) {
            guard item.hasPrefix("schema=") else {
                rest.append(item)
                continue
            }
            guard let name = item.dropFirst("schema=".count).removingPercentEncoding else {
                throw InvalidInput(field: field, reason: "has a schema that is not percent-encoded UTF-8")
            }
            try validate(name, field: "\(field): schema")
            schema = name
        }
        guard schema != nil else { return (url, nil) }
        return (url[..<mark] + (rest.isEmpty ? "" : "?" + rest.joined(separator: "&")), schema)
    }
}
