/// Addresses that mean this machine, this network, or nobody in particular: a worker that calls them for a stranger's job
/// would be a way around the firewall it stands behind.
///
/// The lists are IANA's special-purpose registries. Of IPv6 only global unicast, 2000::/3, is open at all; addresses that
/// carry an IPv4 address inside are judged by that one where a public one makes sense, and refused where not.
package enum PrivateAddress {
    /// - Returns: what kind of address it is, for a person; nil: a public one.
    package static func kind(of address: IPAddress) -> String? {
        address.bytes.count == 4 ? kind(ofFour: address.bytes) : kind(ofSixteen: address.bytes)
    }

    private struct Block {
        let bits: Int
        let prefix: [UInt8]
        let kind: String

        init(_ prefix: [UInt8], _ bits: Int, _ kind: String) {
            (self.prefix, self.bits, self.kind) = (prefix, bits, kind)
        }

        func contains(_ bytes: [UInt8]) -> Bool {
            let whole = bits / 8
            guard bytes[..<whole].elementsEqual(prefix[..<whole]) else { return false }
            let rest = bits % 8
            return rest == 0 || bytes[whole] >> (8 - rest) == prefix[whole] >> (8 - rest)
        }
    }

    private static let four: [Block] = [
        Block([0], 8, "an unspecified address"),
        Block([10], 8, "a private address"),
        Block([100, 64], 10, "an address behind carrier-grade NAT"),
        Block([127], 8, "a loopback address"),
        Block([169, 254], 16, "a link-local address"),
        Block([172, 16], 12, "a private address"),
        Block([192, 0, 0], 24, "a reserved address"),
        Block([192, 0, 2], 24, "an address for documentation"),
        Block([192, 88, 99], 24, "a reserved address"),
        Block([192, 168], 16, "a private address"),
        Block([198, 18], 15, "an address for benchmarks of networks"),
        Block([198, 51, 100], 24, "an address for documentation"),
        Block([203, 0, 113], 24, "an address for documentation"),
        Block([224], 4, "a multicast address"),
        Block([240], 4, "a reserved or broadcast address"),
    ]

    private static let sixteen: [Block] = [
        Block([UInt8](repeating: 0, count: 16), 128, "an unspecified address"),
        Block([UInt8](repeating: 0, count: 15) + [1], 128, "a loopback address"),
        Block([UInt8](repeating: 0, count: 10) + [0xFF, 0xFF], 96, "an IPv4-mapped address"),
        Block([UInt8](repeating: 0, count: 12), 96, "an IPv4-compatible address"),
        Block([0x20, 0x01, 0x00], 23, "a reserved address"),
        Block([0x20, 0x01, 0x0D, 0xB8], 32, "an address for documentation"),
        Block([0x3F, 0xFF, 0x00], 20, "an address for documentation"),
        Block([0xFC], 7, "a unique local address"),
        Block([0xFE, 0x80], 10, "a link-local address"),
        Block([0xFE, 0xC0], 10, "a site-local address"),
        Block([0xFF], 8, "a multicast address"),
    ]

    private static func kind(ofFour bytes: [UInt8]) -> String? { four.first { $0.contains(bytes) }?.kind }

    private static func kind(ofSixteen bytes: [UInt8]) -> String? {
        if let range = sixteen.first(where: { $0.contains(bytes) }) { return range.kind }
        // NAT64 and 6to4 end at the IPv4 address they carry.
        if nat64.contains(bytes) { return kind(ofFour: Array(bytes[12...])) }
        if sixToFour.contains(bytes) { return kind(ofFour: Array(bytes[2..<6])) }
        return global.contains(bytes) ? nil : "a reserved address"
    }

    private static let nat64 = Block([0x00, 0x64, 0xFF, 0x9B] + [UInt8](repeating: 0, count: 8), 96, "")
    private static let sixToFour = Block([0x20, 0x02], 16, "")
    private static let global = Block([0x20], 3, "")
}
