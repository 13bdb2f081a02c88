import CPostgres
import Foundation

/// One connection as the I/O thread drives it: libpq below, a ``ConnectionLife`` and a ``Pipeline`` that decide above.
final class Link {
    enum Event {
        case finished(Ticket, Result<[Rows], PQError>)
        /// Has had no effect; send it again, to this connection or another.
        case again(Ticket, PQError?)
        case notified(channel: String, payload: String)
        case broke(PQError)
    }

    let number: Int
    let lane: Lane
    /// Which connection of this link: an answer about an earlier one is out of date.
    private(set) var generation = 0
    var life = ConnectionLife()
    var pipeline = Pipeline<Ticket, Rows>()
    var order: HostOrder?
    private(set) var lastHeard = Moment.never

    private let poller: Poller
    private let sightings: PoolerSightings
    private let pooler: Pooler
    var session = Session.unasked
    var connection: OpaquePointer?
    var prepared: [PreparedKey: String] = [:]
    var lastName = 0
    private var isWriteBlocked = false
    /// The server refused to write here: to be left as soon as what was sent has been answered.
    private var isReadOnly: PQError?
    var events: [Event] = []
    /// The COPY that the connection is busy with, and whether libpq holds a chunk of it.
    var copying: CopyFeed?
    var isChunkSent = false

    /// Whose the session at the other end is. Until that is known nothing is left behind in it.
    enum Session {
        case unasked
        case asked
        case ours
        /// A pooler lends it for one transaction.
        case lent
    }

    /// A server tells its process id when it lets us in, and a pooler some number that is not the one of the session.
    static let whoAnswers = "select pg_catalog.pg_backend_pid()"

    init(number: Int, lane: Lane, poller: Poller, sightings: PoolerSightings, pooler: Pooler) {
        self.sightings = sightings
        self.number = number
        self.lane = lane
        self.poller = poller
        self.pooler = pooler
    }

    func isOurs(_ answer: Rows) -> Bool {
        guard let connection else { return false }
        return answer.int(0, 0) == Int64(pq.PQbackendPID(connection))
    }

    func adopt(_ handle: ConnectionHandle, now: Moment) {
        generation += 1
        connection = handle.pointer
        session =
            switch pooler {
            case .auto: .unasked
            case .direct, .session: .ours
            case .transaction: .lent
            }
        lastHeard = now
        poller.add(pq.PQsocket(handle.pointer), number: number)
    }

    func canTake(_ request: Request) -> Bool {
        life.isReady && !isWriteBlocked && isReadOnly == nil && pipeline.canTake(alone: request.isAlone)
    }

    func takeEvents() -> [Event] {
        defer { events.removeAll(keepingCapacity: true) }
        return events
    }

    // MARK: Writing

    /// Hands to the operating system what it takes now, and asks to be told when it takes more.
    func flush() {
        if let connection { feedCopy(connection) }
        guard let connection else { return }
        switch pq.PQflush(connection) {
        case 0: setWriteBlocked(false, connection)
        case 1: setWriteBlocked(true, connection)
        default: breakOff()
        }
    }

    private func setWriteBlocked(_ isBlocked: Bool, _ connection: OpaquePointer) {
        guard isBlocked != isWriteBlocked else { return }
        guard pq.PQsocket(connection) >= 0 else { return breakOff() }
        isWriteBlocked = isBlocked
        poller.watch(pq.PQsocket(connection), number: number, writable: isBlocked)
    }

    func becameWritable() { flush() }

    // MARK: Receiving

    func becameReadable(now: Moment) {
        guard let connection else { return }
        lastHeard = now
        let isAlive = pq.PQconsumeInput(connection) == 1
        // What came before the end still counts: it may say why.
        readResults(connection)
        guard self.connection != nil else { return }
        readNotifications(connection)
        if let error = isReadOnly, pipeline.isEmpty { return breakOff(error) }
        if !isAlive { breakOff() } else { flush() }
    }

    func readResults(_ connection: OpaquePointer) {
        var isAfterNull = false
        while self.connection != nil, !pipeline.isEmpty, copying == nil, pq.PQisBusy(connection) == 0 {
            guard let result = pq.PQgetResult(connection) else {
                if pipeline.isAlone {
                    guard endAlone(connection) else { return }
                    continue
                }
                // The end of one command's results; two in a row mean that no more have come.
                if isAfterNull { return }
                isAfterNull = true
                continue
            }
            isAfterNull = false
            receive(result)
        }
    }

    private func endAlone(_ connection: OpaquePointer) -> Bool {
        guard pq.PQenterPipelineMode(connection) == 1 else {
            breakOff()
            return false
        }
        act(on: pipeline.receive(.end))
        return true
    }

    private func receive(_ result: OpaquePointer) {
        switch pq.PQresultStatus(result) {
        case PGRES_PIPELINE_SYNC:
            pq.PQclear(result)
            act(on: pipeline.receive(.end))
        case PGRES_PIPELINE_ABORTED:
            pq.PQclear(result)
            act(on: pipeline.receive(.skipped))
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY:
            act(on: pipeline.receive(.done(Rows(result))))
        case PGRES_COPY_IN:
            pq.PQclear(result)
            beginCopy()
        case PGRES_COPY_OUT, PGRES_COPY_BOTH:
            pq.PQclear(result)
            breakOff(PQError(.invalid, "COPY TO is not supported"))
        default:
            let error = PQError(result)
            pq.PQclear(result)
            act(on: pipeline.receive(.failed(error)))
        }
    }

    private func beginCopy() {
        switch pipeline.first?.request.work {
        case .copy(_, let feed): copying = feed
        case .steps, .script, nil: breakOff(PQError(.invalid, "COPY FROM STDIN needs copy(_:)"))
        }
    }

    private func act(on action: Pipeline<Ticket, Rows>.Action) {
        switch action {
        case .none:
            break
        case .forget(let key):
            prepared[key] = nil
        case .learned(let rows):
            session = isOurs(rows) ? .ours : .lent
            sightings.note(isPooled: session == .lent)
        case .finish(let ticket, let result):
            life.proved()
            events.append(.finished(ticket, result))
        case .again(let ticket):
            events.append(.again(ticket, nil))
        case .stale(var ticket):
            for key in ticket.request.preparedKeys { prepared[key] = nil }
            ticket.hasRepeated = true
            events.append(.again(ticket, nil))
        case .elsewhere(let ticket, let error):
            isReadOnly = error
            events.append(.again(ticket, error))
        }
    }

    private func readNotifications(_ connection: OpaquePointer) {
        while let notification = pq.PQnotifies(connection) {
            events.append(
                .notified(channel: text(notification.pointee.relname), payload: text(notification.pointee.extra)))
            pq.PQfreemem(notification)
        }
    }

    // MARK: Ends

    /// Cancels where the pipeline wants it: a COPY by ending it, everything else from another thread.
    func cancelIfNeeded(_ mailbox: Mailbox, now: Moment) {
        guard let connection, pipeline.mustCancel(now: now) else { return }
        if copying != nil {
            pipeline.cancelSent(now: now)
            pipeline.cancelDone()
            endCopy(connection, "the time was over")
            return flush()
        }
        guard let cancel = pq.PQgetCancel(connection) else { return breakOff() }
        pipeline.cancelSent(now: now)
        let handle = ConnectionHandle(pointer: cancel)
        let (number, generation) = (number, generation)
        let thread = Thread {
            var reason = [CChar](repeating: 0, count: 256)
            // A cancel that does not arrive is noticed by the answer that does not come.
            _ = pq.PQcancel(handle.pointer, &reason, Int32(reason.count))
            pq.PQfreeCancel(handle.pointer)
            _ = mailbox.post(.cancelDone(link: number, generation: generation))
        }
        thread.name = "martlet-cancel"
        thread.start()
    }

    /// Lets go of the connection. Whatever it was busy with has an unknown outcome.
    func breakOff(_ error: PQError? = nil) {
        guard let connection else { return }
        let reason = error ?? PQError(.unavailable, lastMessage(connection))
        // Of several hosts the next one may be the one that takes writes, even if the connection string does not ask for that.
        if isReadOnly != nil {
            order = ConnectionOptions(connection).order(
                after: text(pq.PQhost(connection)), port: text(pq.PQport(connection)))
        }
        self.connection = nil
        // libpq may have closed it already, which takes it from the poller as well.
        if pq.PQsocket(connection) >= 0 { poller.remove(pq.PQsocket(connection)) }
        pq.PQfinish(connection)
        prepared.removeAll()
        isWriteBlocked = false
        isReadOnly = nil
        copying = nil
        isChunkSent = false
        for ticket in pipeline.broke() {
            let lost = PQError(
                .unknownOutcome,
                "the connection was lost before the server answered (\(reason.message)); the request may or may not have happened"
            )
            events.append(.finished(ticket, .failure(lost)))
        }
        events.append(.broke(reason))
    }

    func lastMessage(_ connection: OpaquePointer) -> String {
        let message = ConnectMessage(text(pq.PQerrorMessage(connection))).message
        return message.isEmpty ? "the server closed the connection" : message
    }
}
