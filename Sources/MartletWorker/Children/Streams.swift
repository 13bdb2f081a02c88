import CMartletLinux
import Glibc
import Synchronization

/// Reads what a child writes, all of it, and keeps a part.
final class OutputReader: Sendable {
    private struct State {
        var kept: CappedOutput
        var key: UInt64?
        var isOver = false
    }

    private let source: Descriptor
    private let echo: (@Sendable (UnsafeRawBufferPointer) -> Void)?
    private let state: Mutex<State>

    /// - Parameter echo: gets everything as it comes, on the reactor's thread.
    init(
        _ source: Descriptor, _ part: CappedOutput.Part, limit: Int,
        echo: (@Sendable (UnsafeRawBufferPointer) -> Void)? = nil
    ) {
        self.source = source
        self.echo = echo
        state = Mutex(State(kept: CappedOutput(part, limit: limit)))
        source.unblock()
    }

    func start() {
        // What others hold of the reactor's turn is bounded: one bufferful at a time.
        let key = Reactor.shared.watch(source, for: EPOLLIN) { self.read(all: false) }
        let isOver = state.withLock { state in
            state.key = key
            return state.isOver
        }
        if isOver { Reactor.shared.forget(key, source) }
    }

    /// The child has ended, and so has its output: what is in the pipe still counts, whoever else may hold it open.
    func finish() -> CappedOutput {
        read(all: true)
        let (key, kept) = state.withLock { ($0.key, $0.kept) }
        if let key { Reactor.shared.forget(key, source) }
        return kept
    }

    /// What came until now; from now on a new part begins.
    func take() -> CappedOutput {
        read(all: true)
        return state.withLock { state in
            defer { state.kept = state.kept.emptied }
            return state.kept
        }
    }

    private static let bufferBytes = 65_536

    private func read(all: Bool) {
        // More than a pipe holds was not there when the child ended.
        var left = all ? 1 << 20 : 1
        let key = state.withLock { state -> UInt64? in
            guard !state.isOver else { return nil }
            while left > 0 {
                let count = withUnsafeTemporaryAllocation(byteCount: Self.bufferBytes, alignment: 16) { buffer in
                    let count = Glibc.read(source.number, buffer.baseAddress, buffer.count)
                    if count > 0 {
                        let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
                        state.kept.append(bytes)
                        echo?(bytes)
                    }
                    return count
                }
                if count < 0, errno == EINTR { continue }
                if count < 0, errno == EAGAIN { return nil }
                if count <= 0 {
                    state.isOver = true
                    return state.key
                }
                left -= count
            }
            return nil
        }
        if let key { Reactor.shared.forget(key, source) }
    }
}

/// Writes to a child, as fast as it reads, and lets go of the descriptor: closes it, unless somebody else holds it, too.
final class InputWriter: Sendable {
    private struct State {
        var rest: ArraySlice<UInt8>
        var target: Descriptor?
        var key: UInt64?
    }

    private let state: Mutex<State>

    init(_ target: Descriptor, _ bytes: [UInt8]) {
        target.unblock()
        state = Mutex(State(rest: bytes[...], target: target))
    }

    /// Most args fit into the pipe at once.
    func start() {
        write()
        guard let target = state.withLock({ $0.target }) else { return }
        let key = Reactor.shared.watch(target, for: EPOLLOUT) { self.write() }
        state.withLock { $0.key = key }
        if state.withLock({ $0.target == nil }) { Reactor.shared.forget(key, target) }
    }

    /// Whether all of it is on its way.
    var isFinished: Bool { state.withLock { $0.target == nil } }

    /// Whoever ended without reading it all was in its right.
    func finish() { release(state.withLock { $0.target }) }

    private func write() {
        let finished = state.withLock { state -> Descriptor? in
            guard let target = state.target else { return nil }
            while !state.rest.isEmpty {
                let count = state.rest.withUnsafeBytes { Glibc.write(target.number, $0.baseAddress, $0.count) }
                if count < 0, errno == EINTR { continue }
                if count < 0, errno == EAGAIN { return nil }
                // The other end is closed.
                if count < 0 { break }
                state.rest = state.rest.dropFirst(count)
            }
            return target
        }
        release(finished)
    }

    private func release(_ target: Descriptor?) {
        guard let target else { return }
        let key = state.withLock { state in
            state.target = nil
            return state.key
        }
        if let key { Reactor.shared.forget(key, target) }
    }
}
