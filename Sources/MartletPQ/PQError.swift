/// What can go wrong between us and PostgreSQL. Never holds a password.
package struct PQError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable, Equatable {
        /// The server refused the request and undid it: see `sqlState`.
        case server
        /// The server refused us, or cannot be found under that name: wrong password, no such database. Waiting does not help.
        case refused
        /// No connection came in time. The request was never sent.
        case unavailable
        /// The connection broke, or no answer came, after the request was sent: it may or may not have happened.
        case unknownOutcome
        /// The time was over, and the request has had no effect.
        case deadline
        /// The task was cancelled, and the request has had no effect.
        case cancelled
        /// Too many requests are waiting for a connection.
        case overloaded
        /// The client was closed.
        case closed
        /// The connection string or the request cannot be used.
        case invalid
    }

    package let code: Code
    /// For people: what happened.
    package let message: String
    /// Five characters, where the server gave them.
    package var sqlState: String?
    package var severity: String?
    package var detail: String?
    package var hint: String?
    package var constraint: String?
    /// The function of the server that raised it: the same in every language.
    var routine: String?

    package init(_ code: Code, _ message: String, sqlState: String? = nil) {
        self.code = code
        self.message = message
        self.sqlState = sqlState
    }

    package var description: String {
        let notes = [sqlState.map { "SQLSTATE \($0)" }, detail, hint].compactMap { $0 }
        return notes.isEmpty ? message : "\(message) (\(notes.joined(separator: "; ")))"
    }

    /// Whether the same request may succeed after a while.
    package var isTransient: Bool {
        switch code {
        case .unavailable, .unknownOutcome, .deadline, .overloaded: true
        case .refused, .cancelled, .closed, .invalid: false
        case .server: sqlState.map(SQLState.isTransient) ?? false
        }
    }
}

/// What we know about SQLSTATEs (https://www.postgresql.org/docs/current/errcodes-appendix.html).
enum SQLState {
    static let noSuchPreparedStatement = "26000"
    static let duplicatePreparedStatement = "42P05"
    static let featureNotSupported = "0A000"
    static let queryCancelled = "57014"
    static let readOnly = "25006"
    static let protocolViolation = "08P01"

    /// Class 08 connection, 40 rollback (serialization, deadlock), 53 resources (also: too many connections), 58 outside
    /// PostgreSQL; and a lock that was not to be had, a server that stops or starts, a session that is read-only after a failover.
    static func isTransient(_ state: String) -> Bool {
        let classes = ["08", "40", "53", "58"]
        let states = ["55P03", queryCancelled, "57P01", "57P02", "57P03", "57P05", readOnly]
        return classes.contains { state.hasPrefix($0) } || states.contains(state)
    }

    /// Of a failed connect: whether trying again cannot help until a person has changed something. Class 28 is
    /// authorization, 3D000 no such database, 42501 no right to connect, 22023 and 42704 a setting that does not exist.
    /// 08P01 can be anything: see ``ConnectMessage``.
    static func isLasting(_ state: String) -> Bool {
        ["28"].contains { state.hasPrefix($0) } || ["3D000", "42501", "22023", "42704"].contains(state)
    }
}
