import CPostgres

/// What is in force on a connection, from wherever it came: the string, the environment, a service file.
struct ConnectionOptions {
    private var values: [String: String] = [:]

    init(_ connection: OpaquePointer) {
        guard let options = pq.PQconninfo(connection) else { return }
        defer { pq.PQconninfoFree(options) }
        var option = options
        while let name = option.pointee.keyword {
            if let value = option.pointee.val, value.pointee != 0 { values[String(cString: name)] = String(cString: value) }
            option += 1
        }
    }

    subscript(name: String) -> String? { values[name] }

    /// Nil where it is not set; a century where it is switched off.
    var connectTimeout: Duration? {
        guard let seconds = values["connect_timeout"].flatMap({ Int($0) }) else { return nil }
        return seconds > 0 ? .seconds(max(2, seconds)) : .seconds(36_525 * 86_400)
    }

    /// Nil where there is only one host.
    func order(after host: String, port: String) -> HostOrder? {
        func list(_ name: String) -> [String] {
            values[name]?.split(separator: ",", omittingEmptySubsequences: false).map(String.init) ?? []
        }
        let order = HostOrder(hosts: list("host"), addresses: list("hostaddr"), ports: list("port"))
        let count = max(order.hosts.count, order.addresses.count)
        guard count > 1 else { return nil }
        let names = order.hosts.isEmpty ? order.addresses : order.hosts
        let index = names.indices.first { index in
            names[index] == host && (order.ports.count < 2 || order.ports[index] == port)
        }
        return order.rotated(after: index ?? 0)
    }
}
