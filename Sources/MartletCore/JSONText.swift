/// JSON as it was written: UTF-8 bytes of exactly one valid value. Kept verbatim, so numbers keep their digits and keys their order.
public struct JSONText: Sendable, Hashable {
    public let utf8: [UInt8]

    /// For bytes that came out of an encoder or a store of ours.
    package init(trusted utf8: [UInt8]) { self.utf8 = utf8 }

    public static let emptyObject = JSONText(trusted: Array("{}".utf8))

    public var string: String { String(decoding: utf8, as: UTF8.self) }
}
