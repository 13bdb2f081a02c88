import CMartletLinux
import CPostgres
import Foundation
import Glibc

/// A connection on its way from one thread to another.
struct ConnectionHandle: @unchecked Sendable {
    // Sendable: whoever holds the handle is the only one that uses the connection.
    let pointer: OpaquePointer
}

/// Where the next attempt should begin, when an earlier one got no answer from a host of several.
struct HostOrder: Sendable, Equatable {
    var hosts: [String]
    var addresses: [String]
    var ports: [String]

    /// Begins behind the host with this number. libpq wants one port, or as many as hosts.
    func rotated(after index: Int) -> HostOrder {
        func turn(_ list: [String]) -> [String] {
            list.count > 1 ? Array(list[(index + 1)...] + list[...index]) : list
        }
        return HostOrder(hosts: turn(hosts), addresses: turn(addresses), ports: turn(ports))
    }
}

struct ConnectFailure: Error {
    let error: PQError
    /// Trying again does not help.
    var isLasting: Bool { error.code == .refused || error.code == .invalid }
    var nextOrder: HostOrder?
}

/// Connects on a thread of its own, and hands the connection over when it is ready. libpq's connect does not block, except
/// where it looks up names, reads password and service files, or speaks TLS; none of that may keep the connections in use.
struct Connector: Sendable {
    let conninfo: Conninfo
    let applicationName: String
    let timeout: Duration
    let order: HostOrder?
    let oldestServer: (version: Int, reason: String)?

    func start(_ report: @escaping @Sendable (Result<ConnectionHandle, ConnectFailure>) -> Void) {
        let thread = Thread {
            report(Result { () throws(ConnectFailure) in try connect() })
        }
        thread.name = "martlet-connect"
        thread.start()
    }

    func connect() throws(ConnectFailure) -> ConnectionHandle {
        guard let connection = begin() else {
            throw ConnectFailure(error: PQError(.unavailable, "out of memory"))
        }
        _ = pq.PQsetNoticeProcessor(connection, { _, _ in }, nil)
        // Makes the message of a failed connect hold its SQLSTATE, which libpq tells in no other way.
        _ = pq.PQsetErrorVerbosity(connection, PQERRORS_VERBOSE)
        do {
            try poll(connection)
        } catch {
            pq.PQfinish(connection)
            throw error
        }
        if let refusal = tooOld(connection) {
            pq.PQfinish(connection)
            throw refusal
        }
        keepAlive(connection)
        guard pq.PQsetnonblocking(connection, 1) == 0, pq.PQenterPipelineMode(connection) == 1 else {
            defer { pq.PQfinish(connection) }
            throw failure(connection)
        }
        return ConnectionHandle(pointer: connection)
    }

    private func begin() -> OpaquePointer? {
        // Later words win over earlier ones; the connection string is expanded where `dbname` stands.
        var words = [("fallback_application_name", applicationName), ("dbname", conninfo.string)]
        if let order {
            if !order.hosts.isEmpty { words.append(("host", order.hosts.joined(separator: ","))) }
            if !order.addresses.isEmpty { words.append(("hostaddr", order.addresses.joined(separator: ","))) }
            if !order.ports.isEmpty { words.append(("port", order.ports.joined(separator: ","))) }
        }
        words.append(("client_encoding", "UTF8"))
        let keys = words.map { strdup($0.0) } + [nil]
        let values = words.map { strdup($0.1) } + [nil]
        defer { for text in keys + values { free(text) } }
        return pq.PQconnectStartParams(keys.map { UnsafePointer($0) }, values.map { UnsafePointer($0) }, 1)
    }

    /// libpq leaves `connect_timeout` to us. It counts per host, so a silent one does not keep us from the next.
    private func poll(_ connection: OpaquePointer) throws(ConnectFailure) {
        var place = ""
        var deadline = Moment.never
        var step = PGRES_POLLING_WRITING
        let limit = ConnectionOptions(connection).connectTimeout ?? timeout
        while pq.PQstatus(connection) != CONNECTION_BAD, step != PGRES_POLLING_FAILED, step != PGRES_POLLING_OK {
            let here = "\(text(pq.PQhost(connection))) \(text(pq.PQport(connection))) \(text(pq.PQhostaddr(connection)))"
            if here != place {
                place = here
                deadline = Moment.now + limit
            }
            guard wait(pq.PQsocket(connection), step, until: deadline) else { throw timedOut(connection, after: limit) }
            step = pq.PQconnectPoll(connection)
        }
        guard step == PGRES_POLLING_OK, pq.PQstatus(connection) == CONNECTION_OK else { throw failure(connection) }
    }

    private func wait(_ socket: Int32, _ step: PostgresPollingStatusType, until deadline: Moment) -> Bool {
        while true {
            let left = (deadline - Moment.now).wholeMilliseconds
            guard left > 0 else { return false }
            var ready = pollfd(
                fd: socket, events: Int16(step == PGRES_POLLING_READING ? POLLIN : POLLOUT), revents: 0)
            let count = Glibc.poll(&ready, 1, Int32(clamping: left))
            if count > 0 || count < 0 && errno != EINTR { return true }
        }
    }

    private func timedOut(_ connection: OpaquePointer, after limit: Duration) -> ConnectFailure {
        let message =
            "\(conninfo.shown): no answer from \(text(pq.PQhost(connection))), port \(text(pq.PQport(connection))), in \(limit)"
        return ConnectFailure(
            error: PQError(.unavailable, message),
            nextOrder: ConnectionOptions(connection).order(
                after: text(pq.PQhost(connection)), port: text(pq.PQport(connection))))
    }

    private func failure(_ connection: OpaquePointer) -> ConnectFailure {
        let parsed = ConnectMessage(text(pq.PQerrorMessage(connection)))
        // libpq gave up before it knew of any host: an unknown option, or a service that no file defines.
        let isUnusable = text(pq.PQhost(connection)).isEmpty
        let needsPassword = pq.PQconnectionNeedsPassword(connection) == 1
        let isLasting = needsPassword || parsed.isLasting
        var error = PQError(
            isUnusable ? .invalid : isLasting ? .refused : .unavailable, "\(conninfo.shown): \(parsed.message)",
            sqlState: parsed.states.last)
        if needsPassword { error.hint = "give one in the URL, PGPASSWORD or a password file" }
        return ConnectFailure(error: error)
    }

    private func tooOld(_ connection: OpaquePointer) -> ConnectFailure? {
        guard let oldest = oldestServer, Int(pq.PQserverVersion(connection)) < oldest.version else { return nil }
        let version = text(pq.PQparameterStatus(connection, "server_version"))
        return ConnectFailure(
            error: PQError(
                .refused,
                "\(conninfo.shown): the server is PostgreSQL \(version); \(oldest.version / 10_000) or newer is needed, \(oldest.reason)"
            ))
    }

    /// A peer that vanished is noticed in about ten seconds, where the connection string does not say otherwise.
    private func keepAlive(_ connection: OpaquePointer) {
        let options = ConnectionOptions(connection)
        guard options["keepalives"] != "0" else { return }
        let settings: [(String, Int32, Int32)] = [
            ("keepalives_idle", Int32(TCP_KEEPIDLE), 5), ("keepalives_interval", Int32(TCP_KEEPINTVL), 2),
            ("keepalives_count", Int32(TCP_KEEPCNT), 3), ("tcp_user_timeout", Int32(TCP_USER_TIMEOUT), 10_000),
        ]
        for (name, option, value) in settings where options[name] == nil {
            var value = value
            // Refused on a Unix socket, which needs none of it.
            _ = setsockopt(
                pq.PQsocket(connection), Int32(IPPROTO_TCP), option, &value, socklen_t(MemoryLayout<Int32>.size))
        }
    }
}
