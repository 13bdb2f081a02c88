/// 0 is the most urgent, 9 the least, 5 the default.
public struct Priority: RawRepresentable, Hashable, Sendable, Comparable {
    public let rawValue: Int

    /// - Returns: nil outside 0…9.
    public init?(rawValue: Int) {
        guard (0...9).contains(rawValue) else { return nil }
        self.rawValue = rawValue
    }

    /// - Throws: ``InvalidInput`` outside 0…9.
    public init(validating value: Int, field: String = "priority") throws(InvalidInput) {
        guard let priority = Priority(rawValue: value) else {
            throw InvalidInput(field: field, reason: "\(value) is out of range; 0 (most urgent) to 9")
        }
        self = priority
    }

    public static let `default` = Priority(rawValue: 5)!

    public static func < (a: Priority, b: Priority) -> Bool { a.rawValue < b.rawValue }
}
