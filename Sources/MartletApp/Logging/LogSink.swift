import Dispatch
import Synchronization

/// Log lines on their way to standard error, written by a queue of its own.
///
/// Events arise where nothing may block (a full pipe on standard error must not stop a heartbeat), so a line is only put
/// into a bounded buffer here. When nobody takes the lines fast enough, new ones are dropped and counted, and the count is
/// logged as soon as there is room.
final class LogSink: Sendable {
    private struct State {
        var waiting: [UInt8] = []
        var dropped = 0
        var status = ""
        /// The queue is at it and will look again.
        var isWriting = false
        /// Nobody reads: lines are for nobody.
        var isClosed = false
    }

    private static let limit = 1 << 20
    private let state = Mutex(State())
    private let stream: Outlet
    private let queue = DispatchQueue(label: "martlet.log")

    init(stream: Outlet) { self.stream = stream }

    /// - Parameter line: ends with a line break.
    func write(_ line: [UInt8]) {
        state.withLock { state in
            guard !state.isClosed else { return }
            guard state.waiting.count + line.count <= Self.limit else {
                state.dropped += 1
                return
            }
            state.waiting += line
        }
        drainSoon()
    }

    /// The line at the bottom of the terminal that is drawn over and over; empty takes it away.
    func show(status: String) {
        let changed = state.withLock { state in
            defer { state.status = status }
            return state.status != status
        }
        if changed { drainSoon() }
    }

    /// Waits until everything is written, at most this long: a reader that stands still must not keep us from ending.
    func flush(withinMilliseconds limit: Int = 2_000) {
        let done = DispatchSemaphore(value: 0)
        queue.async { done.signal() }
        _ = done.wait(timeout: .now() + .milliseconds(limit))
    }

    private func drainSoon() {
        let mustStart = state.withLock { state in
            defer { state.isWriting = true }
            return !state.isWriting
        }
        if mustStart { queue.async { self.drain() } }
    }

    private func drain() {
        var shown: String?
        while let (bytes, status) = take(shown: shown) {
            shown = status
            do {
                try stream.write(bytes)
            } catch {
                state.withLock { $0.isClosed = true }
            }
        }
    }

    /// The next bytes to write; nil when there are none, and then the next line starts the queue anew.
    private func take(shown: String?) -> ([UInt8], String)? {
        state.withLock { state in
            guard !state.isClosed, !state.waiting.isEmpty || state.dropped > 0 || shown != state.status else {
                state.isWriting = false
                return nil
            }
            // A status is drawn on a terminal only: carriage return, erase the line.
            var bytes = stream.terminal == nil ? [] : Array("\r\u{1B}[K".utf8)
            bytes += state.waiting
            if state.dropped > 0 {
                bytes += Array("martlet: \(state.dropped) log lines dropped: nobody reads them fast enough\n".utf8)
            }
            if stream.terminal != nil { bytes += Array(state.status.utf8) }
            state.waiting = []
            state.dropped = 0
            return (bytes, state.status)
        }
    }
}
