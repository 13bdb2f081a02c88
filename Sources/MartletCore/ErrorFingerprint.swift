/// What makes two errors "the same" for a person: their type, and their message without what differs from run to run.
///
/// From the message's first line: numbers become `N`; hexadecimal numbers, UUIDs, long identifiers, mail and network
/// addresses `X`; what stands in quotes `…`; absolute paths `/…`; what follows `://` `…`; and white space one space.
/// Stored with failures and compared between versions, so these rules and the hash never change: a better rule needs
/// another type. One pass.
package struct ErrorFingerprint: Sendable, Hashable {
    package let normalized: String
    /// 16 hexadecimal digits.
    package let id: String

    package init(type: String, message: String) {
        var normalizer = MessageNormalizer(message)
        normalized = normalizer.normalized()
        var hash = FNV1a()
        hash.add(type.utf8)
        hash.add(CollectionOfOne(0))
        hash.add(normalized.utf8)
        let digits = String(hash.value, radix: 16)
        id = String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }
}

/// FNV-1a, 64 bits, as in the Internet-Draft "The FNV Non-Cryptographic Hash Algorithm".
struct FNV1a {
    private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    mutating func add(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }
    }
}
