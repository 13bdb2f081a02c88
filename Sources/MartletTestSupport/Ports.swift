import Glibc

/// A port that is free now. Another process may take it before we do; then starting the server says so.
func freePort() throws(PostgresServerFailure) -> Int {
    let (descriptor, port) = try bound()
    close(descriptor)
    return port
}

/// - Returns: a socket that listens, and its port.
func listenSomewhere() throws(PostgresServerFailure) -> (Int32, Int) {
    let (descriptor, port) = try bound()
    guard listen(descriptor, 16) == 0 else { throw PostgresServerFailure("cannot listen") }
    return (descriptor, port)
}

private func bound() throws(PostgresServerFailure) -> (Int32, Int) {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
            bind(descriptor, pointer, length) == 0 && getsockname(descriptor, pointer, &length) == 0
        }
    }
    guard isBound else { throw PostgresServerFailure("no free port") }
    return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
}
