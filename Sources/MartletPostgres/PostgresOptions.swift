import MartletPQ

/// How to reach a queue on PostgreSQL.
package struct PostgresOptions: Sendable {
    /// Anything libpq takes: a URL, which may name many hosts, or `key=value` words. It may say what `pooler` stands between.
    package var url: String
    package var schema = "martlet"
    /// The server's own address, where a pooler stands between: LISTEN needs a session. Nil: the same as `url`.
    package var listenURL: String?
    /// Whether an older schema is brought up to date while opening.
    package var migrate = false
    /// How long a call waits for a connection and its answer before it fails as unavailable.
    package var within: Duration = .seconds(30)
    /// How long opening waits for a server that cannot be reached.
    package var openWithin: Duration = .seconds(10)
    /// Told, in a sentence, what a person who runs this should know and no call can answer.
    package var remark: @Sendable (String) -> Void = { _ in }

    package static let defaultSchema = "martlet"

    package init(url: String) { self.url = url }

    /// Why this process cannot talk to any server; nil: it can.
    package static func missing() -> String? {
        do throws(PQError) { try Libpq.load() } catch { return error.message }
        return nil
    }

    /// The URL without passwords, for people; nil when libpq cannot read it.
    package static func shown(_ url: String) -> String? {
        do throws(PQError) { return try Conninfo(url).shown } catch { return nil }
    }

    /// What of a URL's parameters nobody knows, and what may stand there.
    package static func unknownParameters(_ url: String) -> (unknown: [String], known: [String]) {
        (Conninfo.unknownParameters(of: url), Conninfo.parameters)
    }
}
