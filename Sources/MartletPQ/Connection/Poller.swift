import CMartletLinux
import Glibc

/// epoll, with a number for each descriptor. What is watched may change while somebody waits.
final class Poller: Sendable {
    struct Event {
        let number: Int
        let isReadable: Bool
        let isWritable: Bool
    }

    private let descriptor: Int32

    init() {
        descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
        precondition(descriptor >= 0, "epoll: \(String(cString: strerror(errno)))")
    }

    deinit { Glibc.close(descriptor) }

    func add(_ watched: Int32, number: Int) { control(EPOLL_CTL_ADD, watched, number, writable: false) }

    func watch(_ watched: Int32, number: Int, writable: Bool) { control(EPOLL_CTL_MOD, watched, number, writable: writable) }

    func remove(_ watched: Int32) { control(EPOLL_CTL_DEL, watched, 0, writable: false) }

    private func control(_ operation: Int32, _ watched: Int32, _ number: Int, writable: Bool) {
        var event = epoll_event()
        event.events = EPOLLIN.rawValue | (writable ? EPOLLOUT.rawValue : 0)
        event.data.u64 = UInt64(number)
        let code = epoll_ctl(descriptor, operation, watched, &event)
        // libpq keeps its socket open as long as we watch it; anything else is a mistake of ours.
        precondition(code == 0, "epoll_ctl: \(String(cString: strerror(errno)))")
    }

    /// - Parameter milliseconds: -1 waits for ever.
    func wait(milliseconds: Int32) -> [Event] {
        var buffer = [epoll_event](repeating: epoll_event(), count: 16)
        let count = epoll_wait(descriptor, &buffer, Int32(buffer.count), milliseconds)
        guard count > 0 else { return [] }
        return buffer[..<Int(count)].map { event in
            // Errors and hang-ups are found by reading.
            let isBad = event.events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0
            return Event(
                number: Int(event.data.u64), isReadable: isBad || event.events & EPOLLIN.rawValue != 0,
                isWritable: event.events & EPOLLOUT.rawValue != 0)
        }
    }
}
