/// A PostgreSQL URL, which may hold a password; what is shown of it never does.
package struct PostgresAddress: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable
{
    let url: String
    /// Nil: the usual one.
    let schema: String?
    private let shown: String

    init(url: String, schema: String? = nil, shown: String) {
        self.url = url
        self.schema = schema
        self.shown = shown
    }

    func with(schema: String) -> PostgresAddress { PostgresAddress(url: url, schema: schema, shown: shown) }

    package var description: String { shown + (schema.map { " (schema \($0))" } ?? "") }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
