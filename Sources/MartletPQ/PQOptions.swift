/// How a client reaches its server. A client never holds more connections than ``limit``, whatever is asked of it at once.
package struct PQOptions: Sendable {
    /// Shared, dedicated and listening connections of one process together.
    package static let limit = 4

    package var conninfo: Conninfo
    /// Shown in `pg_stat_activity`, unless the connection string has another.
    package var applicationName = "martlet"
    /// Shared by all requests that name no lane. The second one is opened when the first is busy.
    package var connections = 2
    /// Lanes with a connection of their own.
    package var dedicated: Set<Lane> = []
    /// Whether sessions are ours to keep statements in, where the connection string does not say.
    package var pooler = Pooler.auto
    /// Servers older than this are refused, with the reason; as `PQserverVersion` counts.
    package var oldestServer: (version: Int, reason: String)?
    /// The deadline of requests that name none.
    package var within: Duration = .seconds(30)
    /// How many requests may wait for a connection.
    package var waiting = 10_000
    /// How long a request waits while connecting fails for a reason that may pass. Nil: up to its deadline. Zero: the first
    /// failure is its answer, as a person at a terminal wants it.
    package var patience: Duration?
    /// For each host, unless the connection string has `connect_timeout`.
    package var connectTimeout: Duration = .seconds(5)
    /// A listening connection that was silent for so long is asked whether it lives, and has as long to answer.
    package var liveness: Duration = .seconds(10)

    package init(conninfo: Conninfo) {
        self.conninfo = conninfo
        if let pooler = conninfo.pooler { self.pooler = pooler }
    }

    package init(_ conninfo: String) throws(PQError) { self.init(conninfo: try Conninfo(conninfo)) }
}
