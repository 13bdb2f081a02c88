import Foundation

/// libpq's words about a failed connect, with the SQLSTATEs taken out of them.
struct ConnectMessage: Equatable {
    let message: String
    let states: [String]

    /// Verbose messages read `FATAL:  28P01: password authentication failed…`, then `LOCATION:  auth_failed, auth.c:335`.
    init(_ text: String) {
        var states: [String] = []
        let lines = text.split(separator: "\n").compactMap { line -> String? in
            let line = line.trimmingCharacters(in: .whitespaces)
            guard !line.hasPrefix("LOCATION:") else { return nil }
            guard let match = line.firstMatch(of: #/:  ([0-9A-Z]{5}): /#) else { return line }
            states.append(String(match.1))
            return line.replacingCharacters(in: match.range, with: ":  ")
        }
        self.states = states
        message = lines.joined(separator: "; ").replacingOccurrences(of: ":  ", with: ": ")
    }

    /// Whether a person has to change something before another attempt can succeed.
    var isLasting: Bool {
        guard !states.isEmpty else { return Self.contains(message, Self.lastingWithoutState) }
        return states.allSatisfy { state in
            state == SQLState.protocolViolation
                ? Self.contains(message, Self.lastingProtocolViolations) : SQLState.isLasting(state)
        }
    }

    /// TLS: what the server does not offer, or a certificate that does not fit, stays so. libpq's own words, which have no SQLSTATE.
    private static let lastingWithoutState = [
        "server does not support SSL", "does not match host name", "certificate verify failed", "root certificate file",
        "could not load private key file", "could not read certificate file",
    ]

    /// PgBouncer sends all its refusals under this one state, also those that will pass: a server that is away or full.
    private static let lastingProtocolViolations = [
        "unsupported frontend protocol", "invalid startup packet", "unsupported startup parameter", "no such user",
        "no such database", "authentication failed", "does not exist", "bouncer config error",
    ]

    private static func contains(_ message: String, _ words: [String]) -> Bool { words.contains { message.contains($0) } }
}
