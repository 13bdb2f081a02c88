import CMartletLinux
import Glibc
import Logging
import MartletCore
import Synchronization

/// One child of this program that runs jobs, one at a time, and waits for the next.
///
/// Its descriptors: standard input is empty, standard output ours, standard error read here (the end of it belongs to the error
/// of a run that kills it) and passed on to ours; the socket beside them carries the frames.
final class WarmChild: Sendable {
    enum Answer: Sendable {
        case done(RemoteReport)
        /// It is no more. `hasBegun`: it had said that it is ready.
        case died(ChildEnd, stderr: CappedOutput, hasBegun: Bool)
        /// Ready, but not for this kind.
        case unknownKind([String])
        /// It never said that it was ready.
        case mute
    }

    private enum Event {
        case hello([String])
        case done(RemoteReport)
        case closed
    }

    private struct State {
        var inbox = FrameBuffer()
        var events: [Event] = []
        var waiting: CheckedContinuation<Event, Never>?
        var key: UInt64?
        var isClosed = false
        var kinds: [String]?
        /// Who runs now: lines of a log belong to it.
        var logger: Logger?
        var call: HandlerCall?
        var run = 0
        var sending: InputWriter?
        var jobs = 0
        var processorTime: Duration = .zero
        var resident = 0
        var idleSince = Moment.now
    }

    private let process: ChildProcess
    private let channel: Descriptor
    private let writing: Descriptor
    private let errors: OutputReader
    private let grace: Duration
    private let state = Mutex(State())

    /// - Parameter grace: between the cancellation of a run and SIGKILL.
    init(_ program: ChildProgram, conditions: ChildConditions, grace: Duration) throws(Errno) {
        self.grace = grace
        process = ChildProcess(killGrace: .zero)
        let (ours, theirs) = try Descriptor.socketPair()
        let (reading, stderr) = try Descriptor.pipe()
        channel = ours
        writing = try ours.duplicate()
        errors = OutputReader(reading, .tail, limit: Limits.errorDetailBytes) { bytes in Self.passOn(bytes) }
        let input = try Descriptor.open("/dev/null", O_RDONLY)
        // The child has the number 3 for it: see ``ChildMode``.
        try process.start(program.request(conditions), [input, try Descriptor.standardOutput(), stderr, theirs])
        ours.unblock()
        errors.start()
        let key = Reactor.shared.watch(ours, for: EPOLLIN) { self.receive() }
        let isClosed = state.withLock { state in
            state.key = key
            return state.isClosed
        }
        if isClosed { Reactor.shared.forget(key, ours) }
    }

    var jobs: Int { state.withLock { $0.jobs } }
    /// Bytes, as of the last run.
    var resident: Int { state.withLock { $0.resident } }
    var idleSince: Moment { state.withLock { $0.idleSince } }
    var isClosed: Bool { state.withLock { $0.isClosed } }

    // MARK: Running

    /// - Parameter startup: how long it may take to be ready.
    func run(_ call: HandlerCall, limits: ProcessLimits, startup: Duration) async -> Answer {
        if let answer = await ready(for: call.kind, within: startup) { return answer }
        _ = errors.take()
        let logger = call.logger
        let seconds = limits.cpu.map { max(1, ($0.nanoseconds + 999_999_999) / 1_000_000_000) }
        let frame = RemoteCall(call, logLevel: logger.logLevel, cpuSeconds: seconds).frame.finished
        let sending = InputWriter(writing, frame)
        let run = state.withLock { state in
            state.logger = logger
            state.call = call
            state.sending = sending
            state.run += 1
            return state.run
        }
        sending.start()
        return await withTaskCancellationHandler {
            await answer()
        } onCancel: {
            self.cancel(run)
        }
    }

    private func ready(for kind: String, within startup: Duration) async -> Answer? {
        if state.withLock({ $0.kinds == nil }) {
            let late = Atomic(false)
            let timer = Reactor.shared.after(startup) { [process] in
                late.store(true, ordering: .releasing)
                process.kill()
            }
            let event = await next()
            Reactor.shared.cancel(timer: timer)
            switch event {
            case .hello(let kinds): state.withLock { $0.kinds = kinds }
            case .done, .closed: return late.load(ordering: .acquiring) ? .mute : await death(hasBegun: false)
            }
        }
        let kinds = state.withLock { $0.kinds ?? [] }
        return kinds.contains(kind) ? nil : .unknownKind(kinds)
    }

    private func answer() async -> Answer {
        let event = await next()
        state.withLock { state in
            state.logger = nil
            state.call = nil
            state.sending = nil
            state.run += 1
            state.idleSince = .now
        }
        switch event {
        case .done(let report):
            state.withLock { state in
                state.jobs += 1
                state.resident = report.resident
                state.processorTime += report.usage.processorTime ?? .zero
            }
            return .done(report)
        case .hello, .closed:
            return await death(hasBegun: true)
        }
    }

    private func death(hasBegun: Bool) async -> Answer {
        // It closed its side, and has nothing left to do; where it is dying already, this changes nothing.
        process.kill()
        var end = await process.end()
        let before = state.withLock { $0.processorTime }
        end.subtract(processorTime: before)
        return .died(end, stderr: errors.finish(), hasBegun: hasBegun)
    }

    private func cancel(_ run: Int) {
        let isRunning = state.withLock { state in
            guard state.run == run, !state.isClosed else { return false }
            // Into the middle of a frame nothing may be written; the grace ends all the same.
            guard state.sending?.isFinished ?? true else { return true }
            let frame = Frame(.cancel).finished
            frame.withUnsafeBytes {
                _ = send(channel.number, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL) | CInt(MSG_DONTWAIT))
            }
            return true
        }
        guard isRunning else { return }
        Reactor.shared.after(grace) { [self] in
            if state.withLock({ $0.run == run }) { process.kill() }
        }
    }

    /// It ends by itself when nobody is there any more; what it started goes with it.
    func close() {
        shutdown(channel.number, CInt(SHUT_RDWR))
        closed()
    }

    // MARK: Frames

    private func next() async -> Event {
        await withCheckedContinuation { continuation in
            let event = state.withLock { state -> Event? in
                if !state.events.isEmpty { return state.events.removeFirst() }
                if state.isClosed { return .closed }
                state.waiting = continuation
                return nil
            }
            if let event { continuation.resume(returning: event) }
        }
    }

    private func deliver(_ event: Event) {
        let waiting = state.withLock { state in
            defer { state.waiting = nil }
            if state.waiting == nil { state.events.append(event) }
            return state.waiting
        }
        waiting?.resume(returning: event)
    }

    private func receive() {
        while true {
            let count = withUnsafeTemporaryAllocation(byteCount: 65_536, alignment: 16) { buffer in
                let count = recv(channel.number, buffer.baseAddress, buffer.count, CInt(MSG_DONTWAIT))
                if count > 0 {
                    state.withLock { $0.inbox.append(UnsafeRawBufferPointer(rebasing: buffer[..<count])) }
                }
                return count
            }
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN { return }
            guard count > 0, takeFrames() else { return closed() }
        }
    }

    /// - Returns: false: what it says makes no sense.
    private func takeFrames() -> Bool {
        do throws(FrameReader.Malformed) {
            while true {
                let next: Result<FrameReader?, FrameReader.Malformed> = state.withLock { state in
                    do throws(FrameReader.Malformed) { return .success(try state.inbox.next()) } catch {
                        return .failure(error)
                    }
                }
                guard var frame = try next.get() else { return true }
                try take(&frame)
            }
        } catch {
            return false
        }
    }

    private func take(_ frame: inout FrameReader) throws(FrameReader.Malformed) {
        switch frame.letter {
        case .hello:
            var kinds: [String] = []
            for _ in 0..<max(0, try frame.integer()) { kinds.append(try frame.text()) }
            deliver(.hello(kinds))
        case .done:
            deliver(.done(try RemoteReport(&frame)))
        case .log:
            let line = try RemoteLine(&frame)
            if let logger = state.withLock({ $0.logger }) { line.tell(logger) }
        case .progress:
            let fraction = try frame.optional { frame throws(FrameReader.Malformed) in
                Double(bitPattern: UInt64(bitPattern: try frame.integer()))
            }
            let note = try frame.optional { frame throws(FrameReader.Malformed) in try frame.text() }
            state.withLock { $0.call }?.tell(fraction: fraction, note: note)
        case .run, .cancel, nil:
            break
        }
    }

    private func closed() {
        let (key, isFirst) = state.withLock { state in
            defer { state.isClosed = true }
            return (state.key, !state.isClosed)
        }
        guard isFirst else { return }
        if let key { Reactor.shared.forget(key, channel) }
        let waiting = state.withLock { state in
            defer { state.waiting = nil }
            return state.waiting
        }
        waiting?.resume(returning: .closed)
    }

    private static func passOn(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes
        while !rest.isEmpty {
            let count = write(STDERR_FILENO, rest.baseAddress, rest.count)
            if count < 0, errno == EINTR { continue }
            // Nobody reads our standard error: nothing that a job should feel.
            if count <= 0 { return }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }
}
