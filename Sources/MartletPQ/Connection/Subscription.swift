/// Somebody who listens, on a connection of his own.
package enum Notice: Sendable, Equatable {
    /// Listening from now on. What was notified before may have been missed: look.
    case listening
    case notification(channel: String, payload: String)
    /// The connection is lost; notifications are missed until the next `listening`.
    case lost(String)
}

final class Subscription: Sendable {
    let number: Int
    let conninfo: Conninfo
    let channels: [String]
    let stream: AsyncStream<Notice>.Continuation

    init(number: Int, conninfo: Conninfo, channels: [String], stream: AsyncStream<Notice>.Continuation) {
        self.number = number
        self.conninfo = conninfo
        self.channels = channels
        self.stream = stream
    }

    /// Identifiers are quoted, so that any name is one name.
    var greeting: [Step] {
        channels.map { Step(.once("listen \"\($0.replacing("\"", with: "\"\""))\"")) }
    }

    static let probe = Step(.once("select"))
}
