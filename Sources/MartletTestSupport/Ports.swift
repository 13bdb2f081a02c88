import Glibc
import Synchronization

/// Ports that the kernel does not hand out by itself, neither to those who connect nor to those who listen anywhere: what is
/// free here stays free for the seconds until its server starts.
private let quietPorts = 15_000..<32_000

/// Handed out by this process.
private let taken = Mutex<Set<Int>>([])

/// A port that is free, and that nobody gets by chance.
func freePort() throws(PostgresServerFailure) -> Int {
    for _ in 0..<1_000 {
        let port = Int.random(in: quietPorts)
        guard taken.withLock({ $0.insert(port).inserted }), let (descriptor, _) = bound(port) else { continue }
        close(descriptor)
        return port
    }
    throw PostgresServerFailure("no free port from \(quietPorts.lowerBound) to \(quietPorts.upperBound - 1)")
}

/// - Returns: a socket that listens, and its port.
func listenSomewhere() throws(PostgresServerFailure) -> (Int32, Int) {
    guard let (descriptor, port) = bound(0) else { throw PostgresServerFailure("no free port") }
    guard listen(descriptor, 16) == 0 else { throw PostgresServerFailure("cannot listen") }
    return (descriptor, port)
}

/// - Parameter port: 0 for any.
/// - Returns: a socket and its port; nil when somebody else has it.
private func bound(_ port: Int) -> (Int32, Int)? {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
            bind(descriptor, pointer, length) == 0 && getsockname(descriptor, pointer, &length) == 0
        }
    }
    guard isBound else {
        close(descriptor)
        return nil
    }
    return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
}
