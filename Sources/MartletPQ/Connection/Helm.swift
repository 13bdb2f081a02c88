import Synchronization

/// Who drives the connections at the moment: the I/O thread, or in its place a caller with a request.
///
/// While the I/O thread sleeps nothing happens on any connection. A caller who comes then sends his request himself: to wake a
/// thread for that would take as long as all the rest of it. What the server answers is the I/O thread's again, and so is
/// everything that does not come from a caller.
final class Helm: Sendable {
    private let mailbox: Mailbox
    private let poller: Poller
    private let reactor: Mutex<Reactor>

    init(options: PQOptions, mailbox: Mailbox, thread: ReactorThread, sightings: PoolerSightings) {
        self.mailbox = mailbox
        let poller = Poller()
        self.poller = poller
        reactor = Mutex(
            Reactor(options: options, mailbox: mailbox, poller: poller, thread: thread, sightings: sightings))
    }

    /// The I/O thread.
    func serve() {
        var events: [Poller.Event] = []
        while let pause = reactor.withLock({ $0.turn(events) }) { events = poller.wait(milliseconds: pause) }
    }

    /// - Returns: false when the client is closed.
    func submit(_ request: Request) -> Bool {
        guard mailbox.standIn() else { return mailbox.post(.submit(request)) }
        reactor.withLock { $0.send(request) }
        return true
    }
}
