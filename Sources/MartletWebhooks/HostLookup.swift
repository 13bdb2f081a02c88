import Foundation
import Glibc

/// What a host name stands for just now. Blocks; never call it on the pool.
package struct HostLookup: Sendable {
    package enum Answer: Sendable, Equatable {
        /// In the order in which they should be tried. Not empty.
        case addresses([IPAddress])
        case failed(String)
    }

    package let find: @Sendable (_ host: String) -> Answer

    package init(_ find: @escaping @Sendable (_ host: String) -> Answer) { self.find = find }

    /// The system's: hosts file, DNS, and every old spelling of an address.
    package static let system = HostLookup { host in
        var hints = addrinfo()
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        hints.ai_protocol = CInt(IPPROTO_TCP)
        // No IPv6 addresses where this machine has none.
        hints.ai_flags = AI_ADDRCONFIG
        var list: UnsafeMutablePointer<addrinfo>?
        var status = getaddrinfo(host, nil, &hints, &list)
        if status != 0 {
            // A machine whose only address is loopback has no "configured" ones.
            hints.ai_flags = 0
            status = getaddrinfo(host, nil, &hints, &list)
        }
        guard status == 0 else {
            let reason = status == EAI_SYSTEM ? String(cString: strerror(errno)) : String(cString: gai_strerror(status))
            return .failed(reason)
        }
        defer { freeaddrinfo(list) }
        var addresses: [IPAddress] = []
        var next = list
        while let entry = next {
            if let address = entry.pointee.ai_addr.flatMap({ IPAddress($0, entry.pointee.ai_addrlen) }),
                !addresses.contains(address)
            {
                addresses.append(address)
            }
            next = entry.pointee.ai_next
        }
        return addresses.isEmpty ? .failed("no addresses") : .addresses(addresses)
    }
}
