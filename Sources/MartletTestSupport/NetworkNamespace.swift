import Foundation
import Glibc

/// Another machine, as far as the network goes: a network namespace of Linux with one cable to ours. Needs root.
package final class NetworkNamespace: Sendable {
    /// The other machine's address, and ours on the cable.
    package let address: String
    package let ours: String
    private let name: String
    private let leash: Leash

    var runner: [String] { ["/sbin/ip", "netns", "exec", name] }

    package init() throws {
        // A network of four addresses that no other test of this machine has: 10.128.0.0/9 has two million of them.
        var random = SystemRandomNumberGenerator()
        let number = UInt32.random(in: 0..<(1 << 21), using: &random)
        let base = UInt32(10) << 24 | 1 << 23 | number << 2
        func text(_ address: UInt32) -> String {
            [24, 16, 8, 0].map { String(address >> UInt32($0) & 255) }.joined(separator: ".")
        }
        ours = text(base + 1)
        address = text(base + 2)
        let suffix = String(number, radix: 16)
        name = "martlet-\(suffix)"
        let (here, there) = ("mtl\(suffix)a", "mtl\(suffix)b")
        leash = try Leash(
            begin: """
                ip netns add \(name)
                trap 'ip netns del \(name)' EXIT
                ip link add \(here) type veth peer name \(there) netns \(name)
                ip addr add \(ours)/30 dev \(here); ip link set \(here) up
                ip -n \(name) addr add \(address)/30 dev \(there); ip -n \(name) link set \(there) up
                ip -n \(name) link set lo up
                """,
            // The server in it ends by a leash of its own; a namespace goes when its last process has gone.
            clean: "exit")
        device = there
    }

    private let device: String

    /// From now on nothing that is sent arrives, and nobody is told: the other machine no longer knows its address.
    package func cut() throws {
        try TestProcess.run(["ip", "-n", name, "addr", "del", "\(address)/30", "dev", device])
    }

    package func heal() throws {
        try TestProcess.run(["ip", "-n", name, "addr", "add", "\(address)/30", "dev", device])
    }
}
