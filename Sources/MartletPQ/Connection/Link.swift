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
    private let usesPrepared: Bool
    private var connection: OpaquePointer?
    private var prepared: [PreparedKey: String] = [:]
    private var lastName = 0
    private var isWriteBlocked = false
    /// The server refused to write here: to be left as soon as what was sent has been answered.
    private var isReadOnly: PQError?
    private var events: [Event] = []

    init(number: Int, lane: Lane, poller: Poller, usesPrepared: Bool) {
        self.number = number
        self.lane = lane
        self.poller = poller
        self.usesPrepared = usesPrepared
    }

    func adopt(_ handle: ConnectionHandle, now: Moment) {
        generation += 1
        connection = handle.pointer
        lastHeard = now
        poller.add(PQsocket(handle.pointer), number: number)
    }

    func canTake(_ request: Request) -> Bool {
        life.isReady && !isWriteBlocked && isReadOnly == nil && pipeline.canTake(alone: request.isAlone)
    }

    func takeEvents() -> [Event] {
        defer { events.removeAll(keepingCapacity: true) }
        return events
    }

    // MARK: Sending

    func send(_ ticket: Ticket) {
        guard let connection else { return events.append(.again(ticket, nil)) }
        switch ticket.request.work {
        case .steps(let steps): send(steps, ticket, connection)
        case .script(let sql), .copy(let sql, _): send(script: sql, ticket, connection)
        }
    }

    private func send(_ steps: [Step], _ ticket: Ticket, _ connection: OpaquePointer) {
        var commands: [Pipeline<Ticket, Rows>.Command] = []
        for step in steps {
            guard send(step, &commands, connection) else { return refuse(ticket, connection) }
        }
        let isSent = PQpipelineSync(connection) == 1
        pipeline.sent(ticket, commands, deadline: ticket.request.deadline, mayRepeat: !ticket.hasRepeated)
        if !isSent { breakOff() }
    }

    /// Without its sync nothing of a unit takes effect. libpq refuses only what no server could take, or a lost connection.
    private func refuse(_ ticket: Ticket, _ connection: OpaquePointer) {
        if PQstatus(connection) == CONNECTION_OK {
            events.append(.finished(ticket, .failure(PQError(.invalid, lastMessage(connection)))))
        } else {
            events.append(.again(ticket, nil))
        }
        breakOff()
    }

    private func send(
        _ step: Step, _ commands: inout [Pipeline<Ticket, Rows>.Command], _ connection: OpaquePointer
    ) -> Bool {
        let count = Int32(step.types.count)
        let name = usesPrepared ? step.preparedKey.map { prepare($0, step, &commands, connection) } : nil
        if case .some(nil) = name { return false }
        commands.append(.execute)
        return step.bytes.withUnsafeBytes { bytes in
            let values = step.offsets.map { offset in
                offset < 0 ? nil : UnsafePointer(bytes.baseAddress!.advanced(by: offset).assumingMemoryBound(to: CChar.self))
            }
            let binary = [Int32](repeating: 1, count: step.types.count)
            if case .some(.some(let name)) = name {
                return PQsendQueryPrepared(connection, name, count, values, step.lengths, binary, 1) == 1
            }
            return PQsendQueryParams(
                connection, step.statement.sql, count, step.types, values, step.lengths, binary, 1) == 1
        }
    }

    /// - Returns: the name of the prepared statement, nil when the connection is lost.
    private func prepare(
        _ key: PreparedKey, _ step: Step, _ commands: inout [Pipeline<Ticket, Rows>.Command], _ connection: OpaquePointer
    ) -> String? {
        if let name = prepared[key] { return name }
        lastName += 1
        let name = "martlet_\(lastName)"
        prepared[key] = name
        commands.append(.prepare(key))
        guard PQsendPrepare(connection, name, step.statement.sql, Int32(step.types.count), step.types) == 1 else {
            return nil
        }
        return name
    }

    private func send(script: String, _ ticket: Ticket, _ connection: OpaquePointer) {
        guard PQexitPipelineMode(connection) == 1, PQsendQuery(connection, script) == 1 else {
            return refuse(ticket, connection)
        }
        pipeline.sent(ticket, [], deadline: ticket.request.deadline, alone: true, mayRepeat: false)
    }

    /// Hands to the operating system what it takes now, and asks to be told when it takes more.
    func flush() {
        if let connection { feedCopy(connection) }
        guard let connection else { return }
        switch PQflush(connection) {
        case 0: setWriteBlocked(false, connection)
        case 1: setWriteBlocked(true, connection)
        default: breakOff()
        }
    }

    private func setWriteBlocked(_ isBlocked: Bool, _ connection: OpaquePointer) {
        guard isBlocked != isWriteBlocked else { return }
        guard PQsocket(connection) >= 0 else { return breakOff() }
        isWriteBlocked = isBlocked
        poller.watch(PQsocket(connection), number: number, writable: isBlocked)
    }

    func becameWritable() { flush() }

    // MARK: Copying

    private var copying: CopyFeed?
    private var isChunkSent = false

    func isCopying(_ feed: CopyFeed) -> Bool { copying === feed }

    private func feedCopy(_ connection: OpaquePointer) {
        guard let feed = copying else { return }
        if let chunk = feed.pending {
            if !isChunkSent {
                let isTaken = chunk.withUnsafeBytes { bytes in
                    PQputCopyData(connection, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(bytes.count))
                        == 1
                }
                guard isTaken else { return breakOff() }
                isChunkSent = true
            }
            guard PQflush(connection) == 0 else { return }
            isChunkSent = false
            feed.chunkTaken()
        }
        guard let end = feed.pendingEnd else { return }
        switch end {
        case .complete: endCopy(connection, nil)
        case .abandoned(let reason): endCopy(connection, reason)
        }
    }

    private func endCopy(_ connection: OpaquePointer, _ reason: String?) {
        copying = nil
        isChunkSent = false
        guard PQputCopyEnd(connection, reason) == 1 else { return breakOff() }
        // The server may have refused the rows long ago; its answer has been read then, and nothing more will come.
        readResults(connection)
    }

    // MARK: Receiving

    func becameReadable(now: Moment) {
        guard let connection else { return }
        lastHeard = now
        let isAlive = PQconsumeInput(connection) == 1
        // What came before the end still counts: it may say why.
        readResults(connection)
        guard self.connection != nil else { return }
        readNotifications(connection)
        if let error = isReadOnly, pipeline.isEmpty { return breakOff(error) }
        if !isAlive { breakOff() } else { flush() }
    }

    private func readResults(_ connection: OpaquePointer) {
        var isAfterNull = false
        while self.connection != nil, !pipeline.isEmpty, copying == nil, PQisBusy(connection) == 0 {
            guard let result = PQgetResult(connection) else {
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
        guard PQenterPipelineMode(connection) == 1 else {
            breakOff()
            return false
        }
        act(on: pipeline.receive(.end))
        return true
    }

    private func receive(_ result: OpaquePointer) {
        switch PQresultStatus(result) {
        case PGRES_PIPELINE_SYNC:
            PQclear(result)
            act(on: pipeline.receive(.end))
        case PGRES_PIPELINE_ABORTED:
            PQclear(result)
            act(on: pipeline.receive(.skipped))
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY:
            life.proved()
            act(on: pipeline.receive(.done(Rows(result))))
        case PGRES_COPY_IN:
            PQclear(result)
            beginCopy()
        case PGRES_COPY_OUT, PGRES_COPY_BOTH:
            PQclear(result)
            breakOff(PQError(.invalid, "COPY TO is not supported"))
        default:
            let error = PQError(result)
            PQclear(result)
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
        case .finish(let ticket, let result):
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
        while let notification = PQnotifies(connection) {
            events.append(
                .notified(channel: text(notification.pointee.relname), payload: text(notification.pointee.extra)))
            PQfreemem(notification)
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
        guard let cancel = PQgetCancel(connection) else { return breakOff() }
        pipeline.cancelSent(now: now)
        let handle = ConnectionHandle(pointer: cancel)
        let (number, generation) = (number, generation)
        let thread = Thread {
            var reason = [CChar](repeating: 0, count: 256)
            // A cancel that does not arrive is noticed by the answer that does not come.
            _ = PQcancel(handle.pointer, &reason, Int32(reason.count))
            PQfreeCancel(handle.pointer)
            _ = mailbox.post(.cancelDone(link: number, generation: generation))
        }
        thread.name = "martlet-cancel"
        thread.start()
    }

    /// Lets go of the connection. Whatever it was busy with has an unknown outcome.
    func breakOff(_ error: PQError? = nil) {
        guard let connection else { return }
        let reason = error ?? PQError(.unavailable, lastMessage(connection))
        self.connection = nil
        // libpq may have closed it already, which takes it from the poller as well.
        if PQsocket(connection) >= 0 { poller.remove(PQsocket(connection)) }
        PQfinish(connection)
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

    private func lastMessage(_ connection: OpaquePointer) -> String {
        let message = ConnectMessage(text(PQerrorMessage(connection))).message
        return message.isEmpty ? "the server closed the connection" : message
    }
}
