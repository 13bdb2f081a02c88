/// A PostgreSQL URL, which may hold a password; what is shown of it never does.
package struct PostgresAddress: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable
{
    let url: String
    private let shown: String

    init(url: String, shown: String) {
        self.url = url
        self.shown = shown
    }

    package var description: String { shown }
    package var debugDescription: String { shown }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
