import Dispatch
import Foundation
import Synchronization

/// A PostgreSQL client over libpq for a program that sends many requests at once over few connections.
///
/// One thread drives all connections, and while it sleeps a caller sends his request himself; see ``Helm``. Each request is one
/// transaction of one or more statements, sent without waiting for the answers to those before it (pipeline mode), so a
/// connection carries a thousand requests in flight. Connecting happens on its own and is tried again for ever; requests wait
/// for it up to their deadline.
///
/// A request ends in one of three ways, and the error's code says which: it succeeded; it had no effect; or the
/// connection broke after it was sent (`unknownOutcome`). A request that was not sent yet is simply sent on the next connection.
package final class PQClient: Sendable {
    package let options: PQOptions
    private let mailbox: Mailbox
    private let reactorThread: ReactorThread
    private let helm: Helm
    private let sightings = PoolerSightings()
    private let lastSubscription = Atomic<Int>(0)

    package init(_ options: PQOptions) {
        precondition(
            (1...PQOptions.limit).contains(options.connections + options.dedicated.count),
            "a client has 1 to \(PQOptions.limit) connections")
        self.options = options
        mailbox = Mailbox()
        reactorThread = ReactorThread(mailbox)
        helm = Helm(options: options, mailbox: mailbox, thread: reactorThread, sightings: sightings)
        let thread = Thread { [helm] in helm.serve() }
        thread.name = "martlet-postgres"
        thread.start()
    }

    /// Whether the last connection that was asked belongs to a pooler that lends its sessions.
    package var isPooled: Bool { sightings.isPooled }

    deinit { _ = mailbox.post(.close({})) }

    /// The thread on which answers and notifications arrive, for tasks that only pass them on.
    package var ioThread: any TaskExecutor { reactorThread }

    // MARK: Requests

    /// - Parameters:
    ///   - within: the time for all of it; nil: as the options say.
    ///   - patience: how long it waits while there is no connection, for callers that try again by themselves; nil: as the
    ///     options say.
    ///   - untilDone: carried out even when the task is cancelled meanwhile, or was before.
    package func run(
        _ statement: Statement, _ parameters: [Value] = [], within: Duration? = nil, patience: Duration? = nil,
        lane: Lane = .shared, untilDone: Bool = false
    ) async throws(PQError) -> Rows {
        try await atomically(
            [Step(statement, parameters)], within: within, patience: patience, lane: lane, untilDone: untilDone)[0]
    }

    /// All of it happens, or none, in one round trip. The server runs what stands before one sync as one transaction, so there
    /// is no `begin` to pay for, and none to leave open. Statements that insist on a transaction block (`savepoint`, `declare`,
    /// `lock table`, `set local`) need a script; `set_config(…, true)` works here.
    package func atomically(
        _ steps: [Step], within: Duration? = nil, patience: Duration? = nil, lane: Lane = .shared, untilDone: Bool = false
    ) async throws(PQError) -> [Rows] {
        precondition(!steps.isEmpty, "nothing to run")
        guard untilDone else { return try await answer(to: .steps(steps), within: within, lane: lane, patience: patience) }
        let result: Result<[Rows], PQError> = await withUnsafeContinuation { continuation in
            submit(request(.steps(steps), within, lane, patience) { continuation.resume(returning: $0) })
        }
        return try result.get()
    }

    /// Statements in one text, run in order as one transaction unless the text has its own; their values come back as text.
    @discardableResult
    package func script(
        _ sql: String, within: Duration? = nil, lane: Lane = .shared
    ) async throws(PQError) -> [Rows] {
        try await answer(to: .script(sql), within: within, lane: lane)
    }

    /// ``run(_:_:within:lane:)`` for a thread that has no task. Never call it from one that runs tasks.
    package func runBlocking(
        _ statement: Statement, _ parameters: [Value] = [], within: Duration? = nil, patience: Duration? = nil,
        lane: Lane = .shared
    ) throws(PQError) -> Rows {
        let done = DispatchSemaphore(value: 0)
        let answer = Mutex<Result<[Rows], PQError>?>(nil)
        submit(
            request(.steps([Step(statement, parameters)]), within, lane, patience) { result in
                answer.withLock { $0 = result }
                done.signal()
            })
        done.wait()
        return try answer.withLock { $0! }.get()[0]
    }

    /// Ends the client: what waits for a connection fails, what was sent is answered. Returns when all connections are closed.
    package func close() async {
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            if !mailbox.post(.close({ continuation.resume() })) { continuation.resume() }
        }
    }

    func answer(
        to work: Request.Work, within: Duration?, lane: Lane, patience: Duration? = nil
    ) async throws(PQError) -> [Rows] {
        let slot = Mutex<Request?>(nil)
        let mailbox = mailbox
        let result = await withTaskCancellationHandler {
            await withUnsafeContinuation { (continuation: UnsafeContinuation<Result<[Rows], PQError>, Never>) in
                let request = request(work, within, lane, patience) { continuation.resume(returning: $0) }
                slot.withLock { $0 = request }
                // The handler has run already when there was no request to cancel yet.
                if Task.isCancelled { request.markCancelled() }
                submit(request)
            }
        } onCancel: {
            guard let request = slot.withLock({ $0 }) else { return }
            request.markCancelled()
            _ = mailbox.post(.cancel(request))
        }
        return try result.get()
    }

    private func request(
        _ work: Request.Work, _ within: Duration?, _ lane: Lane, _ patience: Duration?,
        finish: @escaping @Sendable (Result<[Rows], PQError>) -> Void
    ) -> Request {
        let now = Moment.now
        return Request(
            work, lane: lane, submitted: now, deadline: now + (within ?? options.within), patience: patience, finish: finish)
    }

    private func submit(_ request: Request) {
        if !helm.submit(request) { request.end(.failure(.closed)) }
    }

    // MARK: Copying

    func offer(_ bytes: [UInt8], to copy: CopyWriter) async -> Bool {
        await withUnsafeContinuation { continuation in
            let isOpen = mailbox.post(.copyChunk(copy.feed, copy.lane, bytes) { continuation.resume(returning: $0) })
            if !isOpen { continuation.resume(returning: false) }
        }
    }

    func end(_ feed: CopyFeed, _ lane: Lane, _ ending: CopyFeed.Ending) {
        // Nobody reads it: the request has been answered then.
        _ = mailbox.post(.copyEnd(feed, lane, ending))
    }

    // MARK: Listening

    /// Notifications on a connection of their own, for as long as the stream is read. It reconnects for ever, but for a
    /// pooler that lends sessions: there the stream ends with `deaf`.
    /// - Parameter conninfo: where a pooler stands between us and the server, the server's own.
    package func notifications(_ channels: [String], conninfo: Conninfo? = nil) -> AsyncStream<Notice> {
        let (stream, continuation) = AsyncStream<Notice>.makeStream(bufferingPolicy: .bufferingNewest(1_024))
        let listening = listen(
            channels, conninfo: conninfo, tell: { continuation.yield($0) }, ended: { continuation.finish() })
        continuation.onTermination = { _ in listening.end() }
        return stream
    }

    /// The same without a stream and a task, for whoever counts microseconds.
    /// - Parameters:
    ///   - tell: called on the I/O thread, so it only passes it on.
    ///   - ended: called once: there is no more to come.
    package func listen(
        _ channels: [String], conninfo: Conninfo? = nil, tell: @escaping @Sendable (Notice) -> Void,
        ended: @escaping @Sendable () -> Void = {}
    ) -> PQListening {
        let number = lastSubscription.wrappingAdd(1, ordering: .relaxed).newValue
        let subscription = Subscription(
            number: number, conninfo: conninfo ?? options.conninfo,
            pooler: conninfo.map { $0.pooler ?? .auto } ?? options.pooler, channels: channels, tell: tell, ended: ended)
        if !mailbox.post(.subscribe(subscription)) { ended() }
        return PQListening { [mailbox] in _ = mailbox.post(.unsubscribe(number)) }
    }
}
