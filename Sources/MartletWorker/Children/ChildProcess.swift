import CMartletLinux
import Glibc
import MartletCore
import Synchronization

/// One child process with everything it starts, which ends with it.
///
/// ```
/// waiting ──start──▶ running ──report──▶ ended
///    │ terminate        │ terminate: SIGTERM, after the grace SIGKILL
///    ▼                  ▼
/// doomed ──start──▶ (terminated as soon as it runs)
/// ```
/// It runs, ends and is waited for elsewhere (see `martlet_warden.h`); here is the socket to its supervisor.
final class ChildProcess: Sendable {
    private struct State {
        var isDoomed = false
        var control: Descriptor?
        var key: UInt64?
        var report: [UInt8] = []
        var pid: pid_t?
        var killedByUs = false
        var end: ChildEnd?
        var waiting: CheckedContinuation<ChildEnd, Never>?
    }

    private let killGrace: Duration
    private let state = Mutex(State())

    init(killGrace: Duration) { self.killGrace = killGrace }

    var isDoomed: Bool { state.withLock { $0.isDoomed } }
    /// nil: not yet, or no longer.
    var pid: pid_t? { state.withLock { $0.end == nil ? $0.pid : nil } }

    /// - Parameter descriptors: the child's 0, 1, 2 and so on. They are closed here as soon as nobody else holds them.
    func start(_ request: SpawnRequest, _ descriptors: [Descriptor]) throws(Errno) {
        let (ours, theirs) = try Descriptor.socketPair()
        try Warden.ask(control: theirs, descriptors)
        try Self.send(request.bytes, to: ours)
        ours.unblock()
        let isDoomed = state.withLock { state in
            state.control = ours
            return state.isDoomed
        }
        RunningCommands.insert(self)
        let key = Reactor.shared.watch(ours, for: EPOLLIN) { self.receive() }
        // The end may have been told meanwhile.
        let isOver = state.withLock { state in
            state.key = key
            return state.end != nil
        }
        if isOver { Reactor.shared.forget(key, ours) }
        if isDoomed { stop() }
    }

    func end() async -> ChildEnd {
        await withCheckedContinuation { continuation in
            let end = state.withLock { state in
                if state.end == nil { state.waiting = continuation }
                return state.end
            }
            if let end { continuation.resume(returning: end) }
        }
    }

    /// Returns at once; may be called from any thread, before and after the child's life as well.
    func terminate() {
        let isRunning = state.withLock { state in
            state.isDoomed = true
            return state.control != nil && state.end == nil
        }
        if isRunning { stop() }
    }

    /// SIGKILL to all of it.
    func kill() {
        state.withLock { $0.killedByUs = true }
        order(MARTLET_KILL)
    }

    private func stop() {
        order(MARTLET_TERMINATE)
        Reactor.shared.after(killGrace) { self.kill() }
    }

    private func order(_ order: martlet_child_order) {
        guard let control = state.withLock({ $0.end == nil ? $0.control : nil }) else { return }
        var byte = UInt8(order.rawValue)
        // A supervisor that is gone has told the end, or is about to be seen gone; one whose buffer is full has orders enough.
        Glibc.send(control.number, &byte, 1, CInt(MSG_NOSIGNAL) | CInt(MSG_DONTWAIT))
    }

    private static func send(_ bytes: [UInt8], to control: Descriptor) throws(Errno) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let sent = rest.withUnsafeBytes {
                Glibc.send(control.number, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
            }
            if sent < 0 {
                // It could not be made, and says why itself.
                if errno == EPIPE || errno == ECONNRESET { return }
                guard errno == EINTR else { throw Errno.last }
                continue
            }
            rest = rest.dropFirst(sent)
        }
    }

    // MARK: Reports

    private func receive() {
        guard let control = state.withLock({ $0.control }) else { return }
        var buffer = [UInt8](repeating: 0, count: 256)
        while true {
            let count = recv(control.number, &buffer, buffer.count, CInt(MSG_DONTWAIT))
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN { return }
            if count > 0 {
                state.withLock { $0.report += buffer.prefix(count) }
                while let report = nextReport() { note(report) }
                continue
            }
            // Without a last word: somebody killed the supervisor, and the kernel the child with it.
            return finish(.killed(.signal(SIGKILL), Usage()))
        }
    }

    private func nextReport() -> martlet_child_report? {
        state.withLock { state in
            let size = MemoryLayout<martlet_child_report>.size
            guard state.report.count >= size else { return nil }
            defer { state.report.removeFirst(size) }
            return state.report.withUnsafeBytes { $0.loadUnaligned(as: martlet_child_report.self) }
        }
    }

    private func note(_ report: martlet_child_report) {
        switch martlet_child_event(UInt32(report.event)) {
        case MARTLET_CHILD_STARTED: state.withLock { $0.pid = report.pid }
        case MARTLET_CHILD_FAILED: finish(.unable(ChildEnd.Step(report.step), Errno(number: report.error)))
        // A number of C's: the only event left.
        default: finish(ChildEnd(report, byUs: state.withLock { $0.killedByUs }))
        }
    }

    private func finish(_ end: ChildEnd) {
        let (control, key, waiting) = state.withLock { state in
            guard state.end == nil else { return (state.control, state.key, nil as CheckedContinuation<ChildEnd, Never>?) }
            state.end = end
            defer { state.waiting = nil }
            return (state.control, state.key, state.waiting)
        }
        RunningCommands.remove(self)
        if let control, let key { Reactor.shared.forget(key, control) }
        waiting?.resume(returning: end)
    }
}
