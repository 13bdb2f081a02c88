import Logging
import MartletCore

// How the values of a run cross between a worker and its child.

/// A run, as a child gets it.
struct RemoteCall {
    let call: HandlerCall
    let logLevel: Logger.Level
    /// Processor time of this run, seconds: the kernel's own limit is of the whole process.
    let cpuSeconds: Int64?

    var frame: Frame {
        var frame = Frame(.run)
        frame.write(call.id.rawValue)
        frame.write(call.attempt)
        frame.write(call.maxAttempts)
        frame.write(call.lease.rawValue)
        frame.write(call.enqueuedAt.microseconds)
        frame.write(call.timeout) { $0.write($1.nanoseconds) }
        frame.write(call.kind)
        frame.write(call.queue)
        frame.write(call.args.utf8)
        frame.write(logLevel.rawValue)
        frame.write(cpuSeconds) { $0.write($1) }
        return frame
    }

    /// - Parameter logger: for the level that the worker has.
    init(
        _ frame: inout FrameReader, progress: any ProgressSink, logger: (Logger.Level) -> Logger
    ) throws(FrameReader.Malformed) {
        let id = JobID(rawValue: try frame.integer())
        let attempt = Int(try frame.integer())
        let maxAttempts = Int(try frame.integer())
        let lease = LeaseID(rawValue: try frame.integer())
        let enqueuedAt = Timestamp(microseconds: try frame.integer())
        let timeout = try frame.optional { frame throws(FrameReader.Malformed) in Duration.nanoseconds(try frame.integer()) }
        let kind = try frame.text()
        let queue = try frame.text()
        let args = JSONText(trusted: Array(try frame.bytes()))
        logLevel = Logger.Level(rawValue: try frame.text()) ?? .info
        cpuSeconds = try frame.optional { frame throws(FrameReader.Malformed) in try frame.integer() }
        call = HandlerCall(
            id: id, kind: kind, queue: queue, attempt: attempt, maxAttempts: maxAttempts, lease: lease, args: args,
            enqueuedAt: enqueuedAt, timeout: timeout, progress: progress, logger: logger(logLevel))
    }

    init(_ call: HandlerCall, logLevel: Logger.Level, cpuSeconds: Int64?) {
        self.call = call
        self.logLevel = logLevel
        self.cpuSeconds = cpuSeconds
    }
}

/// What a child says of a run that ended.
struct RemoteReport {
    let outcome: Outcome
    let usage: Usage
    /// Memory that the child still holds, bytes.
    let resident: Int
    var followUps: [NewJob] = []

    var frame: Frame {
        var frame = Frame(.done)
        frame.write(outcome)
        frame.write(usage.peakMemory) { $0.write($1) }
        frame.write(usage.processorTime) { $0.write($1.nanoseconds) }
        frame.write(resident)
        frame.write(followUps.count)
        for job in followUps { frame.write(job) }
        return frame
    }

    init(outcome: Outcome, usage: Usage, resident: Int, followUps: [NewJob] = []) {
        self.outcome = outcome
        self.usage = usage
        self.resident = resident
        self.followUps = followUps
    }

    /// Looked at again: a child is a handler's to write to, and what it says is summed up and stored here with that of others.
    init(_ frame: inout FrameReader) throws(FrameReader.Malformed) {
        outcome = try frame.outcome()
        usage = Usage(
            peakMemory: try frame.optional { frame throws(FrameReader.Malformed) in Self.memory(try frame.integer()) },
            processorTime: try frame.optional { frame throws(FrameReader.Malformed) in
                Duration.nanoseconds(try frame.integer()).clamped(to: .zero...Limits.longestDuration)
            })
        resident = Self.memory(try frame.integer())
        var followUps: [NewJob] = []
        let count = try frame.integer()
        guard count >= 0, count <= Limits.enqueueBatch else { throw FrameReader.Malformed() }
        var bytes = 0
        for _ in 0..<count {
            let job = try frame.job()
            bytes += job.args.utf8.count
            guard bytes <= Limits.followUpBytes else { throw FrameReader.Malformed() }
            followUps.append(job)
        }
        self.followUps = followUps
    }

    /// What a machine can have.
    private static func memory(_ bytes: Int64) -> Int { max(0, min(Int(bytes), Limits.childMemory.upperBound)) }
}

extension Frame {
    mutating func write(_ outcome: Outcome) {
        switch outcome {
        case .completed(let result):
            write(0)
            write(result) { $0.write($1.utf8) }
        case .retry(let error, let delay):
            write(1)
            write(error)
            write(delay) { $0.write($1.nanoseconds) }
        case .snooze(let delay):
            write(2)
            write(delay.nanoseconds)
        case .discard(let error):
            write(3)
            write(error)
        case .cancelled: write(4)
        case .interrupted: write(5)
        case .crashed(let error):
            write(6)
            write(error)
        }
    }

    private mutating func write(_ error: JobError) {
        write(error.type)
        write(error.message)
        write(error.detail) { $0.write($1) }
    }
}

extension FrameReader {
    mutating func outcome() throws(Malformed) -> Outcome {
        switch try integer() {
        case 0:
            return .completed(result: try optional { frame throws(Malformed) in try frame.result() })
        case 1:
            let error = try error()
            return .retry(
                error, after: try optional { frame throws(Malformed) in Duration.nanoseconds(try frame.integer()) })
        case 2: return .snooze(.nanoseconds(try integer()))
        case 3: return .discard(try error())
        case 4: return .cancelled
        case 5: return .interrupted
        case 6: return .crashed(try error())
        // A number, not an enum of ours.
        default: throw Malformed()
        }
    }

    private mutating func result() throws(Malformed) -> JSONText {
        let bytes = Array(try bytes())
        do throws(InvalidInput) {
            return try JSONText(validating: bytes, field: "result", maxBytes: Limits.resultBytes)
        } catch {
            throw Malformed()
        }
    }

    /// No more of the texts is read than can be kept of them: this thread is that of all children.
    private mutating func error() throws(Malformed) -> JobError {
        JobError(
            type: String(decoding: try bytes().prefix(2 * Limits.errorTypeBytes), as: UTF8.self),
            message: String(decoding: try bytes().prefix(2 * Limits.errorMessageBytes), as: UTF8.self),
            detail: try optional { frame throws(Malformed) in
                String(decoding: try frame.bytes().suffix(2 * Limits.errorDetailBytes), as: UTF8.self)
            })
    }
}
