import MartletCore

// What a run in a child process hands to its worker besides its end.

/// The way from a run in a child to the worker's board.
struct RemoteProgress: ProgressSink {
    let send: @Sendable (Frame) -> Void

    func tell(_ call: HandlerCall, fraction: Double?, note: String?) {
        var frame = Frame(.progress)
        frame.write(fraction) { $0.write(Int64(bitPattern: $1.bitPattern)) }
        // It is cut to less than that where it is kept.
        frame.write(note.map { CappedText.head($0, bytes: 1 << 10) }) { $0.write($1) }
        send(frame)
    }
}

extension Frame {
    mutating func write(_ job: NewJob) {
        write(job.kind)
        write(job.args.utf8)
        write(job.queue)
        write(job.priority.rawValue)
        switch job.start {
        case .now: write(0)
        case .after(let delay):
            write(1)
            write(delay.microseconds)
        case .at(let time):
            write(2)
            write(time.microseconds)
        }
        write(job.maxAttempts) { $0.write($1) }
        write(job.timeout) { $0.write($1.microseconds) }
        write(job.expires) { frame, expires in
            switch expires {
            case .after(let time):
                frame.write(1)
                frame.write(time.microseconds)
            case .at(let time):
                frame.write(2)
                frame.write(time.microseconds)
            }
        }
    }
}

extension FrameReader {
    /// Looked at again: what comes from a child is a handler's memory.
    mutating func job() throws(Malformed) -> NewJob {
        let kind = try text()
        let bytes = Array(try bytes())
        let queue = try text()
        let priority = Int(clamping: try integer())
        let start = try start()
        let maxAttempts = try optional { frame throws(Malformed) in Int(clamping: try frame.integer()) }
        let timeout = try optional { frame throws(Malformed) in Duration.microseconds(try frame.integer()) }
        let expires = try optional { frame throws(Malformed) in try frame.expiry() }
        do throws(InvalidInput) {
            return try NewJob(
                kind: kind, args: JSONText(validating: bytes), queue: queue, priority: Priority(validating: priority),
                start: start, maxAttempts: maxAttempts, timeout: timeout, expires: expires)
        } catch {
            throw Malformed()
        }
    }

    private mutating func start() throws(Malformed) -> NewJob.Start {
        switch try integer() {
        case 0: return .now
        case 1: return .after(.microseconds(try integer()))
        case 2: return .at(Timestamp(microseconds: try integer()))
        // A number, not an enum of ours.
        default: throw Malformed()
        }
    }

    private mutating func expiry() throws(Malformed) -> NewJob.Expiry {
        switch try integer() {
        case 1: return .after(.microseconds(try integer()))
        case 2: return .at(Timestamp(microseconds: try integer()))
        // A number, not an enum of ours.
        default: throw Malformed()
        }
    }
}
