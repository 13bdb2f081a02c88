import CMartletLinux
import Glibc
import Synchronization

/// What other threads say to the I/O thread.
enum Letter: Sendable {
    case submit(Request)
    case cancel(Request)
    case connected(link: Int, Result<ConnectionHandle, ConnectFailure>)
    /// PQcancel has returned.
    case cancelDone(link: Int, generation: Int)
    case copyChunk(CopyFeed, Lane, [UInt8], taken: @Sendable (Bool) -> Void)
    case copyEnd(CopyFeed, Lane, CopyFeed.Ending)
    case subscribe(Subscription)
    case unsubscribe(Int)
    /// A subscription's own request has ended.
    case subscriptionAnswered(Int, generation: Int, SubscriptionAnswer)
    /// A piece of a task that has chosen the I/O thread.
    case run(UnownedJob)
    case close(@Sendable () -> Void)
}

/// Wakes the I/O thread only when it sleeps: while it is at work, a letter costs a lock and no system call. A caller who finds
/// it asleep may also do himself what he has to ask for; see ``Helm``.
final class Mailbox: Sendable {
    private struct State {
        var letters: [Letter] = []
        var isAsleep = false
        var isClosed = false
    }

    let descriptor: Int32
    private let state = Mutex(State())

    init() {
        descriptor = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
        precondition(descriptor >= 0, "eventfd: \(String(cString: strerror(errno)))")
    }

    deinit { Glibc.close(descriptor) }

    /// - Returns: false when the I/O thread has ended and nobody will read it.
    func post(_ letter: Letter) -> Bool {
        let (isOpen, mustWake) = state.withLock { state in
            guard !state.isClosed else { return (false, false) }
            state.letters.append(letter)
            defer { state.isAsleep = false }
            return (true, state.isAsleep)
        }
        if mustWake { eventfd_write(descriptor, 1) }
        return isOpen
    }

    func take() -> [Letter] {
        state.withLock { state in
            defer { state.letters.removeAll() }
            return state.letters
        }
    }

    /// - Returns: whether the I/O thread was asleep, and is taken for awake from now on: the caller acts in its place.
    func standIn() -> Bool {
        state.withLock { state in
            defer { state.isAsleep = false }
            return state.isAsleep && !state.isClosed
        }
    }

    /// The I/O thread shall look again, asleep or not.
    func wake() { eventfd_write(descriptor, 1) }

    /// - Returns: whether there is nothing to do, and the next letter will wake.
    func fallAsleep() -> Bool {
        state.withLock { state in
            state.isAsleep = state.letters.isEmpty
            return state.isAsleep
        }
    }

    func wakeUp() { state.withLock { $0.isAsleep = false } }

    /// After the poller has reported the descriptor.
    func acknowledge() {
        var count: eventfd_t = 0
        eventfd_read(descriptor, &count)
    }

    /// - Returns: what nobody will read any more.
    func close() -> [Letter] {
        state.withLock { state in
            state.isClosed = true
            return state.letters
        }
    }
}
