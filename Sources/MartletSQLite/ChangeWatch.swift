import CMartletLinux
import Foundation
import Glibc
import MartletStore
import Synchronization

/// Tells listeners that the database may have changed, by this process or another.
///
/// Other processes are noticed through inotify on the write-ahead log. The event comes when a commit is *written*, a
/// moment before it can be read; a claim goes through the write lock, and so waits out that moment.
final class ChangeWatch: Sendable {
    private struct State {
        var isWatching = false
        var isClosed = false
    }

    private let walPath: String
    private let board = HintBoard()
    private let state = Mutex(State())
    /// Ends the thread when it is signalled.
    private let stop: Int32

    init(walPath: String) {
        self.walPath = walPath
        stop = eventfd(0, Int32(EFD_CLOEXEC))
    }

    deinit { Glibc.close(stop) }

    func listen(_ tell: @escaping @Sendable () -> Void, ended: @escaping @Sendable () -> Void) -> HintWatch {
        let watch = board.listen(tell, ended: ended)
        let mustStart = state.withLock { state in
            defer { state.isWatching = true }
            return !state.isWatching && !state.isClosed
        }
        if mustStart { self.watch() }
        return watch
    }

    func announce() { board.announce() }

    func close() {
        eventfd_write(stop, 1)
        state.withLock { $0.isClosed = true }
        board.close()
    }

    private func watch() {
        let inotify = inotify_init1(Int32(IN_CLOEXEC | IN_NONBLOCK))
        // Out of inotify instances: polling, which is the contract, serves alone.
        guard inotify >= 0 else { return }
        let thread = Thread { [self] in
            wait(inotify)
            Glibc.close(inotify)
        }
        thread.name = "martlet-watch"
        thread.start()
    }

    private func wait(_ inotify: Int32) {
        var buffer = [UInt8](repeating: 0, count: 4096)
        var watching: Int32 = -1
        while true {
            // The file is new after the last process had closed the database.
            if watching < 0 { watching = inotify_add_watch(inotify, walPath, UInt32(IN_MODIFY | IN_DELETE_SELF)) }
            var ready = [
                pollfd(fd: inotify, events: Int16(POLLIN), revents: 0), pollfd(fd: stop, events: Int16(POLLIN), revents: 0),
            ]
            poll(&ready, 2, watching < 0 ? 1_000 : -1)
            if ready[1].revents != 0 { return }
            guard ready[0].revents != 0 else { continue }
            if readEvents(inotify, &buffer) { watching = -1 }
            announce()
            // A writer that pours in jobs makes events by the thousand; one look a while is enough.
            usleep(300)
        }
    }

    /// - Returns: whether the file that was watched is gone.
    private func readEvents(_ inotify: Int32, _ buffer: inout [UInt8]) -> Bool {
        var isGone = false
        while true {
            let count = read(inotify, &buffer, buffer.count)
            guard count > 0 else { return isGone }
            var offset = 0
            while offset < count {
                let event = buffer.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: inotify_event.self) }
                if event.mask & UInt32(IN_IGNORED | IN_DELETE_SELF) != 0 { isGone = true }
                offset += MemoryLayout<inotify_event>.size + Int(event.len)
            }
        }
    }
}
