import CPostgres
import Glibc

/// The I/O thread: owns every connection of a client, and runs nothing else but the resumption of those who wait, and tasks
/// that have chosen it; see ``ReactorThread``. Under the lock of its ``Helm``.
final class Reactor {
    let options: PQOptions
    let mailbox: Mailbox
    private let thread: ReactorThread
    private let sightings: PoolerSightings
    private let poller: Poller
    private var pools: [Lane: Pool] = [:]
    var listeners: [Int: Pool] = [:] {
        didSet { allPools = Array(pools.values) + Array(listeners.values) }
    }
    private var allPools: [Pool] = []
    var links: [Int: Link] = [:]
    private var lastLink = 0
    private var random = SystemRandomNumberGenerator()
    private var closing: (@Sendable () -> Void)?
    /// When the I/O thread will look by itself.
    private var wakes = Moment.never

    /// The number under which the poller reports the mailbox; links count from 1.
    private static let mailboxNumber = 0

    init(options: PQOptions, mailbox: Mailbox, poller: Poller, thread: ReactorThread, sightings: PoolerSightings) {
        self.options = options
        self.poller = poller
        self.thread = thread
        self.sightings = sightings
        self.mailbox = mailbox
        poller.add(mailbox.descriptor, number: Self.mailboxNumber)
        pools[.shared] = pool(.shared, options.connections)
        for lane in options.dedicated { pools[lane] = pool(lane, 1) }
        allPools = Array(pools.values)
    }

    private func pool(_ lane: Lane, _ count: Int, _ subscription: Subscription? = nil) -> Pool {
        let links = (0..<count).map { _ in
            lastLink += 1
            let link = Link(
                number: lastLink, lane: lane, poller: poller, sightings: sightings,
                // A subscription asks who answers by itself, and prepares nothing.
                pooler: subscription == nil ? options.pooler : .transaction)
            self.links[lastLink] = link
            return link
        }
        return Pool(
            bound: options.waiting, links: links, conninfo: subscription?.conninfo ?? options.conninfo,
            subscription: subscription)
    }

    // MARK: The loop

    /// What happened, and what is to be done for it.
    /// - Returns: for how many milliseconds there is nothing to do, -1 without end; nil: never again.
    func turn(_ events: [Poller.Event]) -> Int32? {
        mailbox.wakeUp()
        handle(events)
        repeat {
            for letter in mailbox.take() { read(letter) }
            for pool in allPools { serve(pool, now: .now) }
            if closing != nil, isIdle {
                end()
                return nil
            }
        } while !mailbox.fallAsleep()
        wakes = nextEvent
        return wakes == .never ? -1 : Int32(clamping: max(0, (wakes - .now).wholeMilliseconds))
    }

    /// In place of the I/O thread, which sleeps.
    func send(_ request: Request) {
        // It may have looked once more before it was our turn.
        mailbox.wakeUp()
        submit(request)
        if let pool = pools[request.lane] { serve(pool, now: .now) }
        // It has to look after what has come meanwhile, and after what ends sooner than it would wake.
        if !mailbox.fallAsleep() || nextEvent < wakes { mailbox.wake() }
    }

    private func handle(_ events: [Poller.Event]) {
        let now = Moment.now
        for event in events {
            if event.number == Self.mailboxNumber { mailbox.acknowledge() }
            // None for a connection that was let go a moment ago, too.
            guard let link = links[event.number] else { continue }
            if event.isWritable { link.becameWritable() }
            if event.isReadable { link.becameReadable(now: now) }
        }
    }

    private func serve(_ pool: Pool, now: Moment) {
        expire(pool, now: now)
        for link in pool.links { settle(link, pool, now: now) }
        for link in pool.dispatch() {
            link.flush()
            settle(link, pool, now: now)
        }
        for link in pool.links {
            link.cancelIfNeeded(mailbox, now: now)
            settle(link, pool, now: now)
            if link.life.tick(now: now, isNeeded: pool.isNeeded && closing == nil) { connect(link, pool) }
        }
        if closing == nil, let link = pool.wanted, link.life.want() { connect(link, pool) }
        probe(pool, now: now)
    }

    private var nextEvent: Moment {
        var next = Moment.never
        for pool in allPools {
            next = min(next, pool.backlog.nextEvent)
            for link in pool.links {
                next = min(next, link.pipeline.nextEvent, link.life.wakes)
                if pool.subscription != nil, link.life.isReady, link.pipeline.isEmpty {
                    next = min(next, link.lastHeard + options.liveness)
                }
            }
        }
        return next
    }

    // MARK: Letters

    private func read(_ letter: Letter) {
        switch letter {
        case .submit(let request): submit(request)
        case .cancel(let request): cancel(request)
        case .connected(let link, let result): connected(link, result)
        case .cancelDone(let link, let generation):
            if let link = links[link], link.generation == generation { link.pipeline.cancelDone() }
        case .copyChunk(let feed, let lane, let bytes, let taken):
            feed.offer(bytes, taken: taken)
            flushCopy(feed, lane)
        case .copyEnd(let feed, let lane, let ending):
            feed.end(ending)
            flushCopy(feed, lane)
        case .subscribe(let subscription):
            listeners[subscription.number] = pool(.listener, 1, subscription)
            if subscription.pooler == .transaction { becomeDeaf(subscription) }
        case .unsubscribe(let number): unsubscribe(number)
        case .subscriptionAnswered(let number, let generation, let answer):
            subscriptionAnswered(number, generation, answer)
        case .run(let job): thread.run(job)
        case .close(let done): close(done)
        }
    }

    private func submit(_ request: Request) {
        guard closing == nil else { return request.end(.failure(.closed)) }
        guard !request.wasCancelled else {
            return request.end(.failure(PQError(.cancelled, "the task was cancelled before the request was sent")))
        }
        guard let pool = pools[request.lane] else {
            return request.end(.failure(PQError(.invalid, "no connection is set aside for \(request.lane)")))
        }
        if !pool.backlog.add(Ticket(request: request), deadline: request.waits(from: request.submitted)) {
            let message = "\(pool.backlog.bound) requests already wait for a connection to \(pool.conninfo.shown)"
            request.end(.failure(PQError(.overloaded, message)))
        }
    }

    private func cancel(_ request: Request) {
        for pool in allPools {
            for ticket in pool.backlog.remove(where: { $0.request === request }) {
                let message = "the task was cancelled before the request was sent"
                ticket.request.end(.failure(PQError(.cancelled, message)))
            }
            for link in pool.links { link.pipeline.cancel(now: .now) { $0.request === request } }
        }
    }

    private func flushCopy(_ feed: CopyFeed, _ lane: Lane) {
        pools[lane]?.links.first { $0.isCopying(feed) }?.flush()
    }

    // MARK: Connecting

    private func connect(_ link: Link, _ pool: Pool) {
        let connector = Connector(
            conninfo: pool.conninfo, applicationName: options.applicationName, timeout: options.connectTimeout,
            order: link.order, oldestServer: options.oldestServer)
        connector.start { [mailbox, number = link.number] result in
            guard !mailbox.post(.connected(link: number, result)) else { return }
            if case .success(let handle) = result { pq.PQfinish(handle.pointer) }
        }
    }

    private func connected(_ number: Int, _ result: Result<ConnectionHandle, ConnectFailure>) {
        guard let link = links[number], let pool = allPools.first(where: { $0.links.contains { $0 === link } }) else {
            if case .success(let handle) = result { pq.PQfinish(handle.pointer) }
            return
        }
        switch result {
        case .success(let handle):
            guard link.life.connected() else { return pq.PQfinish(handle.pointer) }
            link.order = nil
            link.adopt(handle, now: .now)
            if let subscription = pool.subscription { greet(subscription, link) }
        case .failure(let failure):
            link.order = failure.nextOrder
            link.life.failed(now: .now, random: Double.random(in: 0..<1, using: &random))
            noteTrouble(failure.error, isLasting: failure.isLasting, pool)
        }
    }

    /// Those that have waited as long as they would, or wait for what will not come, hear why.
    private func noteTrouble(_ error: PQError, isLasting: Bool, _ pool: Pool) {
        pool.trouble = error
        pool.subscription?.tell(.lost(error.message))
        guard !pool.hasReady else { return }
        let now = Moment.now
        let tooLong = pool.backlog.remove { [patience = options.patience] ticket in
            isLasting || patience.map { ticket.request.submitted + $0 <= now } ?? false
        }
        for ticket in tooLong { ticket.request.end(.failure(error)) }
    }

    // MARK: What links tell

    private func settle(_ link: Link, _ pool: Pool, now: Moment) {
        for event in link.takeEvents() {
            switch event {
            case .finished(let ticket, let result): ticket.request.end(result)
            case .again(let ticket, let error): giveBack(ticket, error, pool)
            case .notified(let channel, let payload):
                pool.subscription?.tell(.notification(channel: channel, payload: payload))
            case .broke(let error):
                link.life.failed(now: now, random: Double.random(in: 0..<1, using: &random))
                noteTrouble(error, isLasting: false, pool)
            }
        }
    }

    private func giveBack(_ ticket: Ticket, _ error: PQError?, _ pool: Pool) {
        if let error { pool.trouble = error }
        guard !ticket.request.wasCancelled else {
            return ticket.request.end(.failure(PQError(.cancelled, "the task was cancelled; the request had no effect")))
        }
        guard closing == nil else { return ticket.request.end(.failure(.closed)) }
        pool.backlog.giveBack(ticket, deadline: ticket.request.waits(from: .now))
    }

    private func expire(_ pool: Pool, now: Moment) {
        // Whose patience alone is over was not meant for connections that are there and busy.
        let (patient, late) = pool.backlog.expire(now: now).reduce(into: ([Ticket](), [Ticket]())) { sorted, ticket in
            if pool.hasReady, ticket.request.deadline > now { sorted.0.append(ticket) } else { sorted.1.append(ticket) }
        }
        for ticket in patient.reversed() { pool.backlog.giveBack(ticket, deadline: ticket.request.deadline) }
        for ticket in late { ticket.request.end(.failure(neverSent(ticket.request, pool, now: now))) }
        for link in pool.links {
            for overdue in link.pipeline.expire(now: now) {
                switch overdue {
                case .giveUp(let ticket, let error): ticket.request.end(.failure(error))
                case .stuck: link.breakOff(PQError(.unavailable, "the server has stopped answering"))
                }
            }
        }
    }

    private func neverSent(_ request: Request, _ pool: Pool, now: Moment) -> PQError {
        let waited = (now - request.submitted).inTenths
        guard !pool.hasReady else {
            return PQError(
                .deadline, "every connection to \(pool.conninfo.shown) was busy for \(waited); the request was never sent")
        }
        let reason = pool.trouble.map { ": \($0.message)" } ?? ""
        return PQError(
            .unavailable, "no connection to \(pool.conninfo.shown) in \(waited)\(reason)", sqlState: pool.trouble?.sqlState)
    }

    // MARK: The end

    func drop(_ pool: Pool) {
        for link in pool.links {
            link.life.close()
            link.breakOff(.closed)
            for event in link.takeEvents() {
                if case .finished(let ticket, let result) = event { ticket.request.end(result) }
            }
            links[link.number] = nil
        }
        pool.subscription?.ended()
    }

    /// What was sent is still answered; what waits is not sent any more.
    private func close(_ done: @escaping @Sendable () -> Void) {
        let before = closing
        closing = {
            before?()
            done()
        }
        for pool in pools.values {
            for ticket in pool.backlog.removeAll() { ticket.request.end(.failure(.closed)) }
        }
        for number in Array(listeners.keys) { unsubscribe(number) }
    }

    private var isIdle: Bool { pools.values.allSatisfy { $0.links.allSatisfy { $0.pipeline.isEmpty } } }

    private func end() {
        for pool in pools.values { drop(pool) }
        for letter in mailbox.close() {
            switch letter {
            case .submit(let request): request.end(.failure(.closed))
            case .connected(_, .success(let handle)): pq.PQfinish(handle.pointer)
            case .copyChunk(_, _, _, let taken): taken(false)
            case .subscribe(let subscription): subscription.ended()
            case .run(let job): thread.runElsewhere(job)
            case .close(let done): done()
            case .connected(_, .failure), .cancel, .cancelDone, .copyEnd, .unsubscribe, .subscriptionAnswered: break
            }
        }
        closing?()
    }
}

extension PQError {
    static let closed = PQError(.closed, "the client was closed")
}

extension Duration {
    fileprivate var inTenths: String { "\(Double(wholeMilliseconds / 100) / 10) s" }
}
