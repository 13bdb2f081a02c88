import CMartletLinux
import Foundation
import Glibc
import MartletStore
import Synchronization

/// Tells listeners that the database may have changed, by this process or another.
///
/// Other processes are noticed through inotify on the write-ahead log. The event comes when a commit is *written*, a
/// moment before it can be read; a claim goes through the write lock, and so waits out that moment.
///
/// It is the writer's thread that hears of changes, while it has nothing to write: whoever is told will ask the writer next,
/// so nobody would hear of anything sooner by a thread for that alone.
final class ChangeWatch: Sendable {
    private struct State {
        /// nil: nobody listens, or the machine is out of inotify instances. Then polling, which is the contract, serves alone.
        var inotify: Int32?
        var isWatching = false
        var lookedAt = ContinuousClock.now
    }

    /// A writer that pours in jobs makes events by the thousand; one look a while is enough.
    private static let pause: Duration = .milliseconds(1)

    private let walPath: String
    private let board = HintBoard()
    private let state = Mutex(State())
    private let bell: Int32

    init(walPath: String) {
        self.walPath = walPath
        bell = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
        precondition(bell >= 0, "no descriptors left to wake the writer by")
    }

    deinit {
        Glibc.close(bell)
        if let inotify = state.withLock({ $0.inotify }) { Glibc.close(inotify) }
    }

    func listen(_ tell: @escaping @Sendable () -> Void, ended: @escaping @Sendable () -> Void) -> HintWatch {
        let watch = board.listen(tell, ended: ended)
        state.withLock { state in
            guard state.inotify == nil else { return }
            let inotify = inotify_init1(Int32(IN_CLOEXEC | IN_NONBLOCK))
            if inotify >= 0 { state.inotify = inotify }
        }
        ring()
        return watch
    }

    func announce() { board.announce() }

    func close() { board.close() }

    // MARK: The writer's thread

    /// Ends its sleep, now or the next time.
    func ring() { eventfd_write(bell, 1) }

    /// Sleeps until the bell rings, and passes on meanwhile what it hears of changes.
    func sleep() {
        while true {
            // A descriptor below zero is left out.
            let (inotify, limit, isNew) = state.withLock { Self.next(&$0, walPath) }
            // Nobody heard what was written before.
            if isNew { announce() }
            var ready = [
                pollfd(fd: bell, events: Int16(POLLIN), revents: 0), pollfd(fd: inotify, events: Int16(POLLIN), revents: 0),
            ]
            poll(&ready, 2, limit)
            if ready[0].revents != 0 {
                var count: eventfd_t = 0
                eventfd_read(bell, &count)
                return
            }
            if ready[1].revents != 0 { look() }
        }
    }

    /// Between two pieces of work: what others wrote shall not wait until there is none.
    func look() {
        let hasChanged = state.withLock { state in
            guard let inotify = state.inotify, state.isWatching, .now >= state.lookedAt + Self.pause else { return false }
            state.lookedAt = .now
            return Self.readEvents(inotify, &state.isWatching)
        }
        if hasChanged { announce() }
    }

    /// - Returns: what to sleep on, for how many milliseconds at most, and whether the file is watched since now.
    private static func next(_ state: inout State, _ walPath: String) -> (Int32, Int32, isNew: Bool) {
        guard let inotify = state.inotify else { return (-1, -1, false) }
        let wasWatching = state.isWatching
        // The file is new after the last process had closed the database.
        if !state.isWatching {
            state.isWatching = inotify_add_watch(inotify, walPath, UInt32(IN_MODIFY | IN_DELETE_SELF)) >= 0
        }
        guard state.isWatching else { return (-1, 1_000, false) }
        return .now < state.lookedAt + pause ? (-1, 1, !wasWatching) : (inotify, -1, !wasWatching)
    }

    /// - Parameter isWatching: false when the file that was watched is gone.
    /// - Returns: whether there were any.
    private static func readEvents(_ inotify: Int32, _ isWatching: inout Bool) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 4096)
        var hasAny = false
        while true {
            let count = read(inotify, &buffer, buffer.count)
            guard count > 0 else { return hasAny }
            hasAny = true
            var offset = 0
            while offset < count {
                let event = buffer.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: inotify_event.self) }
                if event.mask & UInt32(IN_IGNORED | IN_DELETE_SELF) != 0 { isWatching = false }
                offset += MemoryLayout<inotify_event>.size + Int(event.len)
            }
        }
    }
}
