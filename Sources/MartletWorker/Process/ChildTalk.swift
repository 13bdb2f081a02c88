import Logging
import MartletCore

/// What a ``WarmChild`` and this process have said to each other, and which run it is about. Under the child's lock.
///
/// A run ends with what comes first: its report, once all that the child said before has been said on, or the child's end. What
/// belongs to an earlier run is told from it by its number.
struct ChildTalk {
    enum Event {
        case hello([String])
        case done(RemoteReport)
        case closed
        /// The run was cancelled while the child started.
        case cancelled
    }

    typealias Waiter = CheckedContinuation<Event, Never>

    /// What a cancellation is to do.
    enum Cancellation {
        case nothing
        /// The child knows nothing of the run.
        case wake(Waiter?)
        /// The child is running it; `canBeTold`: no frame is half written.
        case stop(canBeTold: Bool)
    }

    var inbox = FrameBuffer()
    /// Of the reactor, while it listens.
    var key: UInt64?
    private(set) var kinds: [String]?
    private(set) var jobs = 0
    private(set) var processorTime: Duration = .zero
    /// Bytes, as of the last run.
    private(set) var resident = 0
    private(set) var idleSince = Moment.now
    private(set) var isClosed = false
    /// What it said made no sense.
    var isSenseless = false

    private var events: [Event] = []
    private var waiting: Waiter?
    /// How the run that is on ended, while what it said before is still being said on.
    private var report: RemoteReport?
    /// No longer.
    private var isReportDue = false
    private var hasGreeted = false
    /// Who runs now: lines of a log belong to it.
    private(set) var logger: Logger?
    private(set) var call: HandlerCall?
    private var run = 0
    /// The run was cancelled.
    private(set) var isCancelled = false
    /// The child knows of the run, or is about to.
    private var hasBegun = false
    private var sending: InputWriter?

    // MARK: A run

    /// - Returns: its number.
    mutating func prepare() -> Int {
        run += 1
        isCancelled = false
        return run
    }

    mutating func isReady(for kinds: [String]) { self.kinds = kinds }

    /// - Returns: false: it was cancelled, and the child is to hear nothing of it.
    mutating func begin(_ call: HandlerCall, _ logger: Logger, _ sending: InputWriter) -> Bool {
        guard !isCancelled else { return false }
        self.logger = logger
        self.call = call
        self.sending = sending
        hasBegun = true
        return true
    }

    mutating func ended(_ event: Event) {
        logger = nil
        call = nil
        sending = nil
        hasBegun = false
        run += 1
        idleSince = .now
        guard case .done(let report) = event else { return }
        jobs += 1
        resident = report.resident
        processorTime += report.usage.processorTime ?? .zero
    }

    mutating func cancel(_ number: Int) -> Cancellation {
        guard run == number, !isClosed else { return .nothing }
        isCancelled = true
        guard hasBegun else {
            defer { waiting = nil }
            return .wake(waiting)
        }
        return .stop(canBeTold: sending?.isFinished ?? true)
    }

    /// Whether that run is still to tell its end.
    func goesOn(_ number: Int) -> Bool { run == number && report == nil }

    var isRunning: Bool { hasBegun && !isClosed }

    // MARK: What the child says

    /// - Returns: false: it had said so before.
    mutating func greet() -> Bool {
        defer { hasGreeted = true }
        return !hasGreeted
    }

    /// One for each run: what comes beside them would be taken for the next run's.
    /// - Returns: the run's number; nil: none is to tell its end.
    mutating func keep(_ report: RemoteReport) -> Int? {
        guard hasBegun, self.report == nil else { return nil }
        self.report = report
        return run
    }

    /// All that the run said before its end has been said on, or has had its time.
    mutating func release(_ number: Int) -> (waiter: Waiter, report: RemoteReport)? {
        guard run == number, report != nil else { return nil }
        guard let waiter = waiting else {
            isReportDue = true
            return nil
        }
        waiting = nil
        return takeReport().map { (waiter, $0) }
    }

    /// - Returns: the waiter, which is to be told; nil: it is kept for the next one.
    mutating func deliver(_ event: Event) -> Waiter? {
        defer { waiting = nil }
        if waiting == nil { events.append(event) }
        return waiting
    }

    /// - Returns: what has come already; nil: the waiter is kept.
    mutating func next(orCancelled: Bool, _ waiter: Waiter) -> Event? {
        if orCancelled, isCancelled { return .cancelled }
        if !events.isEmpty { return events.removeFirst() }
        if isReportDue || isClosed, let report = takeReport() { return .done(report) }
        if isClosed { return .closed }
        waiting = waiter
        return nil
    }

    /// - Returns: false: it was so before.
    mutating func close() -> Bool {
        defer { isClosed = true }
        return !isClosed
    }

    /// Whoever waits when all is over.
    mutating func lastWord() -> (waiter: Waiter, event: Event)? {
        guard let waiter = waiting else { return nil }
        waiting = nil
        return (waiter, takeReport().map { .done($0) } ?? .closed)
    }

    private mutating func takeReport() -> RemoteReport? {
        defer { (report, isReportDue) = (nil, false) }
        return report
    }
}
