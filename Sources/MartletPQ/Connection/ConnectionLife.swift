/// The life of one place for a connection, decided apart from sockets and clocks.
///
/// - *dormant*: nobody needs it. → connecting, closed
/// - *connecting*: an attempt is under way. → ready, waiting, closed
/// - *waiting*: the last attempt failed or the connection broke; not before the time given. → connecting, dormant, closed
/// - *ready*: requests can be sent. → waiting, closed
/// - *closed*: for good.
struct ConnectionLife {
    enum State: Equatable {
        case dormant
        case connecting
        case waiting(until: Moment)
        case ready
        case closed
    }

    static let firstPause: Duration = .milliseconds(50)
    static let longestPause: Duration = .seconds(5)

    private(set) var state = State.dormant
    /// Since the connection last proved good. A connect alone proves nothing: a server may let in and throw out.
    private var failures = 0

    var isReady: Bool { state == .ready }

    /// When `tick` should be called.
    var wakes: Moment {
        switch state {
        case .waiting(let until): until
        case .dormant, .connecting, .ready, .closed: .never
        }
    }

    /// Somebody needs the connection.
    /// - Returns: whether to begin an attempt.
    mutating func want() -> Bool {
        switch state {
        case .dormant:
            state = .connecting
            return true
        case .connecting, .waiting, .ready, .closed:
            return false
        }
    }

    /// - Parameter isNeeded: whether anything waits for the connection.
    /// - Returns: whether to begin an attempt.
    mutating func tick(now: Moment, isNeeded: Bool) -> Bool {
        guard case .waiting(let until) = state, until <= now else { return false }
        state = isNeeded ? .connecting : .dormant
        return isNeeded
    }

    /// - Returns: whether to keep the connection; otherwise nobody wants it any more.
    mutating func connected() -> Bool {
        switch state {
        case .connecting:
            state = .ready
            return true
        case .dormant, .waiting, .ready, .closed:
            return false
        }
    }

    /// The attempt failed, or the connection is lost.
    /// - Parameter random: uniform in 0..<1.
    mutating func failed(now: Moment, random: Double) {
        switch state {
        case .connecting, .ready:
            let ceiling = min(Self.firstPause * (1 << min(failures, 10)), Self.longestPause)
            failures += 1
            // Half is fixed, so that a try is never repeated at once; half is spread, so that the clients of a server
            // that comes back do not all arrive together.
            state = .waiting(until: now + ceiling * (0.5 + random / 2))
        case .dormant, .waiting, .closed:
            break
        }
    }

    /// The server answered something useful.
    mutating func proved() { failures = 0 }

    mutating func close() { state = .closed }
}
