/// Somebody who listens, on a connection of his own.
package enum Notice: Sendable, Equatable {
    /// Listening from now on. What was notified before may have been missed: look.
    case listening
    case notification(channel: String, payload: String)
    /// The connection is lost; notifications are missed until the next `listening`.
    case lost(String)
    /// A pooler answered, which has no session to listen in. The last notice.
    case deaf
}

/// Somebody's interest in notifications, until he ends it.
package final class PQListening: Sendable {
    private let stop: @Sendable () -> Void

    init(_ stop: @escaping @Sendable () -> Void) { self.stop = stop }

    /// Can be called again.
    package func end() { stop() }
}

final class Subscription: Sendable {
    let number: Int
    let conninfo: Conninfo
    let pooler: Pooler
    let channels: [String]
    let tell: @Sendable (Notice) -> Void
    let ended: @Sendable () -> Void

    init(
        number: Int, conninfo: Conninfo, pooler: Pooler, channels: [String], tell: @escaping @Sendable (Notice) -> Void,
        ended: @escaping @Sendable () -> Void
    ) {
        self.number = number
        self.conninfo = conninfo
        self.pooler = pooler
        self.channels = channels
        self.tell = tell
        self.ended = ended
    }

    /// Identifiers are quoted, so that any name is one name.
    var greeting: [Step] {
        channels.map { Step(.once("listen \"\($0.replacing("\"", with: "\"\""))\"")) }
    }

    static let probe = Step(.once("select"))

    /// A LISTEN on a session that is only lent would go on there for others, and never reach us.
    static let meeting = Step(.once(Link.whoAnswers))
}

/// What a subscription's own request has brought.
enum SubscriptionAnswer: Sendable {
    case alive
    /// Who answers at the other end.
    case met(Rows)
    case failed(PQError)
}
