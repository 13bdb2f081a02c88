import CPostgres
import Foundation
import Glibc
import MartletPQ

/// The least a pick-up can take: one row inserted and committed to disk with a notification, until another connection has it.
/// Plain blocking libpq on both sides.
enum NotificationFloor {
    /// - Returns: milliseconds of each.
    static func run(_ database: BenchDatabase, times: Int) async throws -> [Double] {
        try database.psql("create table floor (args text)")
        let listener = try Plain(database.url)
        let sender = try Plain(database.url)
        try listener.run("listen floor")
        try sender.run("prepare send as with i as (insert into floor values ($1)) select pg_notify('floor', $1)")
        let delays = Task.detached { try (0..<times).map { _ in try listener.next() } }
        for _ in 0..<times {
            try await PickUp.pause()
            try sender.run("execute send('\(PickUp.now())')")
        }
        return try await delays.value
    }
}

/// One blocking connection, used by one task at a time.
private final class Plain: @unchecked Sendable {
    // libpq lets different threads use a connection one after another, and here each connection has one user.
    private let connection: OpaquePointer

    init(_ url: String) throws {
        try Libpq.load()
        guard let connection = pq.PQconnectdb(url) else { throw Failure("no memory") }
        self.connection = connection
        guard pq.PQstatus(connection) == CONNECTION_OK else { throw Failure(message) }
    }

    deinit { pq.PQfinish(connection) }

    private var message: String { pq.PQerrorMessage(connection).map { String(cString: $0) } ?? "" }

    func run(_ sql: String) throws {
        let result = pq.PQexec(connection, sql)
        defer { pq.PQclear(result) }
        let status = pq.PQresultStatus(result)
        guard status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK else {
            throw Failure(message)
        }
    }

    /// Waits for a notification that carries the moment of its sending.
    func next() throws -> Double {
        while true {
            if let notification = pq.PQnotifies(connection) {
                defer { pq.PQfreemem(notification) }
                let now = PickUp.now()
                guard let sent = UInt64(String(cString: notification.pointee.extra)) else { throw Failure("no moment") }
                return Double(now - sent) / 1e6
            }
            var socket = pollfd(fd: pq.PQsocket(connection), events: Int16(POLLIN), revents: 0)
            guard poll(&socket, 1, 30_000) == 1, pq.PQconsumeInput(connection) == 1 else { throw Failure("no notification") }
        }
    }
}
