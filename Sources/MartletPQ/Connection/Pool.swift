/// The connections of one lane and what waits for them.
final class Pool {
    var backlog: Backlog<Ticket>
    let links: [Link]
    let conninfo: Conninfo
    let subscription: Subscription?
    /// Why there was no connection, the last time that one was tried.
    var trouble: PQError?

    init(bound: Int, links: [Link], conninfo: Conninfo, subscription: Subscription? = nil) {
        backlog = Backlog(bound: bound)
        self.links = links
        self.conninfo = conninfo
        self.subscription = subscription
    }

    /// A listener is always wanted; other connections while somebody waits for them.
    var isNeeded: Bool { subscription != nil || !backlog.isEmpty }

    var hasReady: Bool { links.contains { $0.life.isReady } }

    /// Sends what can be sent, each to the connection with the least to do.
    func dispatch() -> [Link] {
        var used: [Link] = []
        while let ticket = backlog.first {
            let candidates = links.filter { $0.canTake(ticket.request) }
            guard let link = candidates.min(by: { $0.pipeline.count < $1.pipeline.count }) else { break }
            _ = backlog.popFirst()
            link.send(ticket)
            if !used.contains(where: { $0 === link }) { used.append(link) }
        }
        return used
    }

    /// The link that should connect: the first one for anything, the next when requests queue on all that are ready.
    var wanted: Link? {
        let isTrying = links.contains { $0.life.state == .connecting }
        guard !isTrying else { return nil }
        let isBusy = !backlog.isEmpty || links.allSatisfy { !$0.life.isReady || $0.pipeline.count > 1 }
        guard hasReady ? isBusy : isNeeded else { return nil }
        return links.first { $0.life.state == .dormant }
    }
}
