import CMartletLinux
import Glibc
import Logging
import MartletCore
import Synchronization

/// One child of this program that runs jobs, one at a time, and waits for the next.
///
/// Its descriptors: standard input is empty, standard output ours, standard error read here (the end of it belongs to the error
/// of a run that kills it) and passed on to ours; the socket beside them carries the frames.
///
/// ```
///            hello              frame sent            done
/// starting ─────────▶ idle ─────────────▶ running ──────────▶ idle
///    │                  │                    │
///    └── cancelled ─────┴── the run does not begin: .notBegun
/// ```
final class WarmChild: Sendable {
    enum Answer: Sendable {
        case done(RemoteReport)
        /// It was cancelled before the child knew of it.
        case notBegun
        /// It is no more. `hasBegun`: it had said that it is ready.
        case died(ChildEnd, stderr: CappedOutput, hasBegun: Bool)
        /// Ready, but not for this kind.
        case unknownKind([String])
        /// It never said that it was ready.
        case mute
        /// What it said is nothing that a child of ours says.
        case senseless

        /// Whether the child can run another job.
        var leavesIntact: Bool {
            switch self {
            case .done, .notBegun: true
            case .died, .unknownKind, .mute, .senseless: false
            }
        }
    }

    private let process: ChildProcess
    private let channel: Descriptor
    private let writing: Descriptor
    private let errors: OutputReader
    private let voice: Voice
    /// How long an end waits for what was said before it: a log that blocks costs no run its end.
    private static let patience: Duration = .seconds(1)
    private let grace: Duration
    private let talk = Mutex(ChildTalk())

    /// - Parameter grace: between the cancellation of a run and SIGKILL.
    init(
        _ program: ChildProgram, conditions: ChildConditions, grace: Duration, speaker: Speaker = .shared
    ) throws(Errno) {
        self.grace = grace
        voice = Voice(speaker: speaker)
        process = ChildProcess(killGrace: .zero)
        let (ours, theirs) = try Descriptor.socketPair()
        let (reading, stderr) = try Descriptor.pipe()
        channel = ours
        writing = try ours.duplicate()
        errors = OutputReader(reading, .tail, limit: Limits.errorDetailBytes, echo: voice)
        let input = try Descriptor.open("/dev/null", O_RDONLY)
        // The child has the number 3 for it: see ``ChildMode``.
        try process.start(program.request(conditions), [input, try Descriptor.standardOutput(), stderr, theirs])
        ours.unblock()
        errors.start()
        listen()
    }

    private func listen() {
        let key = Reactor.shared.watch(channel, for: EPOLLIN) { self.receive() }
        let isClosed = talk.withLock { talk in
            talk.key = key
            return talk.isClosed
        }
        if isClosed { Reactor.shared.forget(key, channel) }
    }

    var jobs: Int { talk.withLock { $0.jobs } }
    /// Bytes, as of the last run.
    var resident: Int { talk.withLock { $0.resident } }
    var idleSince: Moment { talk.withLock { $0.idleSince } }
    var isClosed: Bool { talk.withLock { $0.isClosed } }

    // MARK: Running

    /// - Parameter startup: how long it may take to be ready.
    func run(_ call: HandlerCall, limits: ProcessLimits, startup: Duration) async -> Answer {
        let run = talk.withLock { $0.prepare() }
        return await withTaskCancellationHandler {
            if let answer = await ready(for: call.kind, within: startup) { return answer }
            _ = errors.take()
            return begin(call, limits) ? await answer() : .notBegun
        } onCancel: {
            self.cancel(run)
        }
    }

    private func ready(for kind: String, within startup: Duration) async -> Answer? {
        if talk.withLock({ $0.isCancelled }) { return .notBegun }
        if talk.withLock({ $0.kinds == nil }) {
            let late = Atomic(false)
            let timer = Reactor.shared.after(startup) { [self] in
                late.store(true, ordering: .releasing)
                end()
            }
            let event = await next(orCancelled: true)
            Reactor.shared.cancel(timer: timer)
            switch event {
            case .hello(let kinds):
                talk.withLock { $0.isReady(for: kinds) }
            case .cancelled:
                // Nobody waits for what it may say yet.
                close()
                return .notBegun
            case .done, .closed:
                return late.load(ordering: .acquiring) ? .mute : await death(hasBegun: false)
            }
        }
        let kinds = talk.withLock { $0.kinds ?? [] }
        return kinds.contains(kind) ? nil : .unknownKind(kinds)
    }

    /// - Returns: false: it was cancelled, and the child hears nothing of it.
    private func begin(_ call: HandlerCall, _ limits: ProcessLimits) -> Bool {
        let logger = call.logger
        let seconds = limits.cpu.map { max(1, ($0.nanoseconds + 999_999_999) / 1_000_000_000) }
        let frame = RemoteCall(call, logLevel: logger.logLevel, cpuSeconds: seconds).frame.finished
        let sending = InputWriter(writing, frame)
        let begins = talk.withLock { $0.begin(call, logger, sending) }
        if begins { sending.start() }
        return begins
    }

    private func answer() async -> Answer {
        let event = await next()
        talk.withLock { $0.ended(event) }
        switch event {
        case .done(let report):
            return .done(report)
        case .hello, .closed, .cancelled:
            return await death(hasBegun: true)
        }
    }

    private func death(hasBegun: Bool) async -> Answer {
        // It closed its side, and has nothing left to do; where it is dying already, this changes nothing.
        process.kill()
        var end = await process.end()
        let (before, isSenseless) = talk.withLock { ($0.processorTime, $0.isSenseless) }
        if isSenseless { return .senseless }
        end.subtract(processorTime: before)
        return .died(end, stderr: errors.finish(), hasBegun: hasBegun)
    }

    private func cancel(_ run: Int) {
        let cancellation = talk.withLock { talk in
            let cancellation = talk.cancel(run)
            // Under the lock, so that no other run has begun. Into the middle of a frame nothing may be written; the grace ends
            // all the same.
            if case .stop(canBeTold: true) = cancellation { tellCancelled() }
            return cancellation
        }
        switch cancellation {
        case .nothing: break
        case .wake(let waiter): waiter?.resume(returning: .cancelled)
        case .stop: Reactor.shared.after(grace) { [self] in if talk.withLock({ $0.goesOn(run) }) { end() } }
        }
    }

    private func tellCancelled() {
        Frame(.cancel).finished.withUnsafeBytes {
            _ = send(channel.number, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL) | CInt(MSG_DONTWAIT))
        }
    }

    /// At once. What it has sent still counts: a run that has told its end is not run again.
    private func end() {
        process.kill()
        // More than a socket holds was not sent before.
        var left = talk.withLock { $0.isRunning } ? 16 : 0
        while left > 0, receiveSome() == .more { left -= 1 }
        closed()
    }

    /// It ends by itself when nobody is there any more; what it started goes with it.
    func close() {
        shutdown(channel.number, CInt(SHUT_RDWR))
        closed()
    }

    // MARK: Frames

    private func next(orCancelled: Bool = false) async -> ChildTalk.Event {
        await withCheckedContinuation { waiter in
            let event = talk.withLock { $0.next(orCancelled: orCancelled, waiter) }
            if let event { waiter.resume(returning: event) }
        }
    }

    /// One bufferful: the reactor comes back for the rest, after the others.
    private func receive() {
        guard !voice.isFull else { return pauseListening() }
        if receiveSome() == .over { closed() }
    }

    private enum Received { case more, nothing, over }

    private func receiveSome() -> Received {
        let (count, error) = withUnsafeTemporaryAllocation(byteCount: 65_536, alignment: 16) { buffer in
            let count = recv(channel.number, buffer.baseAddress, buffer.count, CInt(MSG_DONTWAIT))
            let error = errno
            if count > 0 {
                talk.withLock { $0.inbox.append(UnsafeRawBufferPointer(rebasing: buffer[..<count])) }
            }
            return (count, error)
        }
        if count < 0, error == EINTR || error == EAGAIN { return .nothing }
        return count > 0 && takeFrames() ? .more : .over
    }

    /// Until what it said has been said on.
    private func pauseListening() {
        let key = talk.withLock { talk in
            defer { talk.key = nil }
            return talk.key
        }
        guard let key else { return }
        Reactor.shared.forget(key, channel)
        voice.whenItHasRoom { [weak self] in
            guard let self, !isClosed else { return }
            listen()
        }
    }

    /// - Returns: false: what it says makes no sense.
    private func takeFrames() -> Bool {
        do throws(FrameReader.Malformed) {
            while true {
                let next: Result<FrameReader?, FrameReader.Malformed> = talk.withLock { talk in
                    do throws(FrameReader.Malformed) { return .success(try talk.inbox.next()) } catch {
                        return .failure(error)
                    }
                }
                guard var frame = try next.get() else { return true }
                try take(&frame)
            }
        } catch {
            talk.withLock { $0.isSenseless = true }
            return false
        }
    }

    private func take(_ frame: inout FrameReader) throws(FrameReader.Malformed) {
        switch frame.letter {
        case .hello:
            var kinds: [String] = []
            for _ in 0..<max(0, try frame.integer()) { kinds.append(try frame.text()) }
            guard talk.withLock({ $0.greet() }) else { throw FrameReader.Malformed() }
            talk.withLock { $0.deliver(.hello(kinds)) }?.resume(returning: .hello(kinds))
        case .done:
            try keep(try RemoteReport(&frame))
        case .log:
            let bytes = frame.count
            let line = try RemoteLine(&frame)
            if let logger = talk.withLock({ $0.logger }) { voice.say(bytes: bytes) { line.tell(logger) } }
        case .progress:
            let fraction = try frame.optional { frame throws(FrameReader.Malformed) in
                Double(bitPattern: UInt64(bitPattern: try frame.integer()))
            }
            let note = try frame.optional { frame throws(FrameReader.Malformed) in try frame.text() }
            talk.withLock { $0.call }?.tell(fraction: fraction, note: note)
        case .run, .cancel, nil:
            break
        }
    }

    /// What a run said comes before its end, but for a log that does not get on.
    private func keep(_ report: RemoteReport) throws(FrameReader.Malformed) {
        guard let run = talk.withLock({ $0.keep(report) }) else { throw FrameReader.Malformed() }
        guard !voice.isSilent else { return tell(run) }
        let timer = Reactor.shared.after(Self.patience) { [self] in tell(run) }
        voice.say(bytes: 0) { [self] in
            Reactor.shared.cancel(timer: timer)
            tell(run)
        }
    }

    private func tell(_ run: Int) {
        if let (waiter, report) = talk.withLock({ $0.release(run) }) { waiter.resume(returning: .done(report)) }
    }

    private func closed() {
        let (key, isFirst) = talk.withLock { ($0.key, $0.close()) }
        guard isFirst else { return }
        if let key { Reactor.shared.forget(key, channel) }
        if let (waiter, event) = talk.withLock({ $0.lastWord() }) { waiter.resume(returning: event) }
    }
}
