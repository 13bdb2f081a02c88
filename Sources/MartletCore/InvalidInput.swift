/// Something a person or a program handed in cannot be used. Says which field, and why.
public struct InvalidInput: Error, Equatable, Sendable, CustomStringConvertible {
    /// The field as the user wrote it: `priority`, `args`, `kinds.resize.timeout`.
    public let field: String
    /// What is wrong with it, and what would be right.
    public let reason: String

    public init(field: String, reason: String) {
        self.field = field
        self.reason = reason
    }

    public var description: String { "\(field): \(reason)" }
}
