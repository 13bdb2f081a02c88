import CMartletLinux
import Foundation
import Glibc
import Synchronization

/// What one child says, on its way to our standard error and to our log.
///
/// Both may block, and a log handler is users' code. So a thread of its own says it (``Speaker``), and the child is not read
/// further while much of it waits here: a child that talks without end waits for itself.
final class Voice: Sendable {
    private struct State {
        var waiting = 0
        var bytes = 0
        var resume: [@Sendable () -> Void] = []
    }

    /// Bytes that may wait of one child.
    static let limit = 256 << 10

    private let state = Mutex(State())
    private let speaker: Speaker

    init(speaker: Speaker = .shared) { self.speaker = speaker }

    var isFull: Bool { state.withLock { $0.bytes >= Self.limit } }
    /// Whether all has been said.
    var isSilent: Bool { state.withLock { $0.waiting == 0 } }

    /// Says it after what was said before.
    /// - Parameter bytes: how much it is.
    func say(bytes: Int, _ what: @escaping @Sendable () -> Void) {
        state.withLock { state in
            state.waiting += 1
            state.bytes += bytes
        }
        speaker.say { [self] in
            what()
            let resume = state.withLock { state -> [@Sendable () -> Void] in
                state.waiting -= 1
                state.bytes -= bytes
                guard state.bytes < Self.limit / 2 else { return [] }
                defer { state.resume = [] }
                return state.resume
            }
            for action in resume { action() }
        }
    }

    /// Calls it once, from any thread, when less than half of ``limit`` waits.
    func whenItHasRoom(_ action: @escaping @Sendable () -> Void) {
        let hasRoom = state.withLock { state in
            guard state.bytes >= Self.limit / 2 else { return true }
            state.resume.append(action)
            return false
        }
        if hasRoom { action() }
    }

    /// To our standard error.
    func write(_ bytes: UnsafeRawBufferPointer) {
        let copy = [UInt8](bytes)
        say(bytes: copy.count) { copy.withUnsafeBytes { Self.passOn($0) } }
    }

    private static func passOn(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes
        while !rest.isEmpty {
            let count = Glibc.write(STDERR_FILENO, rest.baseAddress, rest.count)
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN {
                // Somebody made it non-blocking: then the waiting is done here.
                var wait = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
                poll(&wait, 1, -1)
                continue
            }
            // Nobody reads our standard error: nothing that a job should feel.
            if count <= 0 { return }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }
}

/// The thread that says what children say, in the order in which it came.
final class Speaker: Sendable {
    static let shared = Speaker()

    private struct State {
        var queue: [@Sendable () -> Void] = []
        var isRunning = false
    }

    private let state = Mutex(State())
    private let wakeUp = DispatchSemaphore(value: 0)

    init() {}

    func say(_ action: @escaping @Sendable () -> Void) {
        let (isFirst, wasEmpty) = state.withLock { state in
            defer {
                state.queue.append(action)
                state.isRunning = true
            }
            return (!state.isRunning, state.queue.isEmpty)
        }
        if isFirst { start() }
        if wasEmpty { wakeUp.signal() }
    }

    private func start() {
        let thread = Thread { [self] in
            martlet_name_thread("martlet-say")
            while true {
                wakeUp.wait()
                let actions = state.withLock { state in
                    defer { state.queue = [] }
                    return state.queue
                }
                for action in actions { action() }
            }
        }
        thread.start()
    }
}
