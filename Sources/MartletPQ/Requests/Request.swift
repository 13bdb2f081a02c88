import Synchronization

/// One request of a caller, on its way to a connection and back.
final class Request: Sendable {
    enum Work: Sendable {
        /// Together one transaction.
        case steps([Step])
        /// Statements in one text, without parameters, answered as text.
        case script(String)
        /// A script with `COPY … FROM STDIN` in it.
        case copy(String, CopyFeed)
    }

    let work: Work
    let lane: Lane
    let submitted: Moment
    let deadline: Moment
    /// How long it waits for a connection while there is none; nil: up to its deadline.
    let patience: Duration?
    /// Called once, mostly on the I/O thread, which must not be kept; see ``Helm``.
    private let finish: @Sendable (Result<[Rows], PQError>) -> Void
    private let isCancelled = Atomic<Bool>(false)

    init(
        _ work: Work, lane: Lane, submitted: Moment, deadline: Moment, patience: Duration? = nil,
        finish: @escaping @Sendable (Result<[Rows], PQError>) -> Void
    ) {
        self.work = work
        self.lane = lane
        self.submitted = submitted
        self.deadline = deadline
        self.patience = patience
        self.finish = finish
    }

    /// Until when it waits, from now on, for a connection that may not come.
    func waits(from now: Moment) -> Moment { patience.map { min(deadline, now + $0) } ?? deadline }

    func end(_ result: Result<[Rows], PQError>) {
        switch work {
        case .copy(_, let feed): feed.finish()
        case .steps, .script: break
        }
        finish(result)
    }

    /// The task may be cancelled before its request arrives at the I/O thread.
    func markCancelled() { isCancelled.store(true, ordering: .releasing) }
    var wasCancelled: Bool { isCancelled.load(ordering: .acquiring) }

    var preparedKeys: [PreparedKey] {
        switch work {
        case .steps(let steps): steps.compactMap(\.preparedKey)
        case .script, .copy: []
        }
    }

    /// Uses a connection alone, outside pipeline mode.
    var isAlone: Bool {
        switch work {
        case .steps: false
        case .script, .copy: true
        }
    }
}

/// A request and what has become of it so far.
struct Ticket {
    let request: Request
    /// It has been sent again once because its prepared statements were gone.
    var hasRepeated = false
}

/// Which connections a request goes through. Requests of one lane do not wait for those of another.
package struct Lane: Hashable, Sendable, CustomStringConvertible {
    private let name: String

    private init(_ name: String) { self.name = name }

    /// The shared connections.
    package static let shared = Lane("shared")
    /// One connection for what must not wait behind anything.
    package static let heartbeat = Lane("heartbeat")
    static let listener = Lane("listener")

    package var description: String { name }
}
