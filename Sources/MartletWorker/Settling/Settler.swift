import MartletCore
import MartletStore
import Synchronization

/// Writes endings: whole leases at once when idle, gathered while a flush is under way, for as long as it takes when the store
/// is away.
final class Settler: Sendable {
    private struct State {
        var queue = SettleQueue()
        var tally = WorkerTally()
        var isClosed = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let store: any JobStore
    private let access: StoreAccess
    private let herald: Herald
    private let state = Mutex(State())
    /// As the queue has it, to be asked without the lock.
    private let isFull = Atomic(false)
    private let work = Signal()
    /// Raised after each flush, and when there is nothing to write.
    private let wrote = Signal()

    init(store: any JobStore, access: StoreAccess, herald: Herald) {
        self.store = store
        self.access = access
        self.herald = herald
    }

    var tally: WorkerTally { state.withLock { $0.tally } }

    func add(_ settlements: [Settlement]) {
        guard !settlements.isEmpty else { return }
        add { $0.add(settlements) }
    }

    /// Of runs of a lease, of which others may be under way.
    func add(_ settlements: [Settlement], of chunk: Chunk, now: Moment = .now) {
        guard !settlements.isEmpty else { return }
        let open = chunk.ended(settlements.count)
        add { $0.add(settlements, of: chunk.lease.id, open: open, now: now) }
    }

    private func add(_ body: (inout SettleQueue) -> Void) {
        let mustWake = state.withLock { state in
            guard !state.isClosed else { return false }
            let (wasEmpty, wasDue, due) = (state.queue.isEmpty, state.queue.isDue, state.queue.due)
            body(&state.queue)
            if state.queue.isFull { isFull.store(true, ordering: .relaxed) }
            let isSooner = due.map { state.queue.due ?? $0 < $0 } ?? false
            return wasEmpty || isSooner || !wasDue && state.queue.isDue
        }
        // The loop looks again by itself after each flush.
        if mustWake { work.raise() }
    }

    /// Whether to wait for ``room()``.
    var hasRoom: Bool { !isFull.load(ordering: .relaxed) }

    /// Waits while too much is on its way: runners stop taking jobs they could not settle.
    /// Its frame shall not be part of a runner's, which lives as long as a job waits.
    @inline(never)
    func room() async {
        guard state.withLock({ $0.queue.isFull && !$0.isClosed }) else { return }
        await withCheckedContinuation { continuation in
            let isRoomy = state.withLock { state in
                guard state.queue.isFull && !state.isClosed else { return true }
                state.waiting.append(continuation)
                return false
            }
            if isRoomy { continuation.resume() }
        }
    }

    /// Ends after ``close()``.
    /// - Parameter lost: called with leases the store had given to others.
    func run(lost: @Sendable (Set<LeaseID>) -> Void) async {
        var backoff = Backoff()
        while true {
            let (batch, due, isClosed) = state.withLock { ($0.queue.flush(now: .now), $0.queue.due, $0.isClosed) }
            if isClosed { return }
            if batch.isEmpty {
                if due == nil { wrote.raise() }
                await work.wait(atMost: due.map { $0 - .now } ?? .seconds(3_600))
                continue
            }
            do {
                let reply = try await store.settle(batch)
                access.succeeded(.settle)
                backoff.reset()
                finish(reply, lost)
                wrote.raise()
            } catch {
                guard access.failed(error, .settle) else {
                    close()
                    return
                }
                await work.wait(atMost: backoff.next(random: .random(in: 0..<1)))
            }
        }
    }

    private func finish(_ reply: SettleReply, _ lost: @Sendable (Set<LeaseID>) -> Void) {
        let (written, dropped, waiting) = state.withLock { state in
            var dropped = 0
            let batch = state.queue.flushed()
            for settlement in batch {
                if !reply.lost.isEmpty, reply.lost.contains(settlement.lease) {
                    dropped += 1
                } else {
                    state.tally.count(settlement.ending)
                }
            }
            state.tally.fenced += dropped
            if !state.queue.isFull { isFull.store(false, ordering: .relaxed) }
            defer { if !state.queue.isFull { state.waiting = [] } }
            return (batch.count - dropped, dropped, state.queue.isFull ? [] : state.waiting)
        }
        for continuation in waiting { continuation.resume() }
        if written > 0 { herald.tell(.settled(written)) }
        guard !reply.lost.isEmpty else { return }
        herald.tell(.leasesLost(reply.lost, dropped: dropped))
        lost(reply.lost)
    }

    var isClosed: Bool { state.withLock { $0.isClosed } }

    /// - Returns: whether everything was written by then.
    func flushed(within limit: Duration) async -> Bool { await wait(atMost: limit) { $0.isEmpty } }

    /// Of endings that wait for others of their lease, and of those that come later, nothing is asked.
    /// - Returns: whether everything that is due now was written by then.
    func wroteDue(within limit: Duration) async -> Bool {
        let mark = state.withLock { $0.queue.mark }
        return await wait(atMost: limit) { $0.written >= mark }
    }

    private func wait(atMost limit: Duration, until isDone: (borrowing SettleQueue) -> Bool) async -> Bool {
        let deadline = Moment.now + limit
        while true {
            let (isDone, isClosed) = state.withLock { (isDone($0.queue), $0.isClosed) }
            if isDone || isClosed { return isDone }
            let left = deadline - .now
            guard left > .zero else { return false }
            await wrote.wait(atMost: left)
        }
    }

    /// Gives up what is not written yet; its jobs run again once their leases are recovered.
    /// - Returns: how many endings that are.
    @discardableResult
    func close() -> Int {
        let (waiting, unsettled) = state.withLock { state in
            state.isClosed = true
            defer { state.waiting = [] }
            return (state.waiting, state.queue.count)
        }
        for continuation in waiting { continuation.resume() }
        work.raise()
        wrote.raise()
        return unsettled
    }
}
