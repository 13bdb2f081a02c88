import CMartletLinux
import Foundation
import Glibc
import MartletCore
import Synchronization

/// The thread that reads from, writes to and times all child processes: none of them waits for a thread of the pool.
///
/// What it calls must be quick and must not block.
final class Reactor: Sendable {
    static let shared = Reactor()

    typealias Action = @Sendable () -> Void

    private struct State {
        var actions: [UInt64: Action] = [:]
        var timers: [UInt64: (due: Moment, action: Action)] = [:]
        var serial: UInt64 = 0
        var isRunning = false

        mutating func next() -> UInt64 {
            serial += 1
            return serial
        }
    }

    private let state = Mutex(State())
    private let epoll: CInt
    private let alarm: CInt

    private init() {
        epoll = epoll_create1(CInt(EPOLL_CLOEXEC))
        alarm = eventfd(0, CInt(EFD_CLOEXEC) | CInt(EFD_NONBLOCK))
        precondition(epoll >= 0 && alarm >= 0, "no descriptors left to look after child processes: \(Errno.last)")
        register(alarm, EPOLLIN, key: 0)
    }

    /// Calls the action whenever the descriptor is readable, or writable, until ``forget(_:_:)``.
    func watch(_ descriptor: Descriptor, for event: EPOLL_EVENTS, _ action: @escaping Action) -> UInt64 {
        let (key, isFirst) = state.withLock { state in
            let key = state.next()
            state.actions[key] = action
            defer { state.isRunning = true }
            return (key, !state.isRunning)
        }
        register(descriptor.number, event, key: key)
        if isFirst { start() }
        return key
    }

    func forget(_ key: UInt64, _ descriptor: Descriptor) {
        guard state.withLock({ $0.actions.removeValue(forKey: key) }) != nil else { return }
        epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor.number, nil)
    }

    @discardableResult
    func after(_ delay: Duration, _ action: @escaping Action) -> UInt64 {
        let (key, isFirst) = state.withLock { state in
            let key = state.next()
            state.timers[key] = (.now + delay, action)
            defer { state.isRunning = true }
            return (key, !state.isRunning)
        }
        if isFirst { start() } else { wake() }
        return key
    }

    func cancel(timer key: UInt64) { state.withLock { _ = $0.timers.removeValue(forKey: key) } }

    private func register(_ descriptor: CInt, _ event: EPOLL_EVENTS, key: UInt64) {
        var registration = epoll_event(events: event.rawValue, data: epoll_data_t(u64: key))
        let result = epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &registration)
        precondition(result == 0, "cannot watch descriptor \(descriptor): \(Errno.last)")
    }

    private func wake() {
        var one: UInt64 = 1
        write(alarm, &one, 8)
    }

    private func start() {
        let thread = Thread { [self] in
            var events = [epoll_event](repeating: epoll_event(), count: 64)
            while true { turn(&events) }
        }
        thread.name = "martlet-child"
        thread.start()
    }

    private func turn(_ events: inout [epoll_event]) {
        let now = Moment.now
        let (due, next) = state.withLock { state in
            let keys = state.timers.filter { $0.value.due <= now }.map(\.key)
            let due = keys.compactMap { state.timers.removeValue(forKey: $0)?.action }
            return (due, state.timers.values.map(\.due).min())
        }
        for action in due { action() }
        // Rounded up: a timer is never early, and no turn is for nothing.
        let wait = next.map { CInt(clamping: max(($0 - Moment.now).nanoseconds + 999_999, 0) / 1_000_000) } ?? -1
        let count = epoll_wait(epoll, &events, CInt(events.count), due.isEmpty ? wait : 0)
        guard count > 0 else { return }
        for event in events.prefix(Int(count)) {
            let key = event.data.u64
            if key == 0 {
                var value: UInt64 = 0
                read(alarm, &value, 8)
                continue
            }
            // One that was forgotten in this very turn is no longer there.
            if let action = state.withLock({ $0.actions[key] }) { action() }
        }
    }
}
