import MartletCore
import MartletStore
import MartletWorker

/// Is told what happens in a worker: for metrics, alarms, and what has to be set up and taken down with it.
///
/// Every method has an empty default. They are called where things happen, from several threads at once: they must be quick and
/// must not block. Without an observer nothing is made for single jobs.
public protocol WorkerObserver: Sendable {
    /// Before anything is claimed.
    func workerStarted(name: String, kinds: [String])
    /// No more jobs begin. `hurried`: running ones are cancelled at once.
    func workerStopping(hurried: Bool)
    /// Nothing runs any more. Not called when the process is killed.
    func workerStopped()
    func jobStarted(_ job: ObservedJob)
    /// The run is over; how it ended is on its way to the database. A run that lost its lease or was written off has no end here.
    func jobEnded(_ job: ObservedJob, _ end: JobEnd)
    /// The run holds one of the threads that coroutines share, so that others wait. At most now and then for each kind.
    /// `moved`: the kind's runs get threads of their own from now on.
    func jobBlocks(_ id: JobID, kind: String, held: Duration, moved: Bool)
    /// The run went on after it was cancelled, and was given up. It may still use a thread.
    func jobGivenUp(_ id: JobID, kind: String)
    /// Runs that were given up hold every thread of those for coroutines, or of those for handlers that block: nothing runs there
    /// until one of them ends. The program should be started again.
    func threadsLost(_ count: Int, blocking: Bool)
    /// Of a kind that adapts: so many runs at a time from now on, and why.
    func concurrencyChanged(kind: String, to concurrency: Int, reason: String)
    /// About once a second while something runs. `lag`: the longest that a task waited for a thread since the last time;
    /// `memory`: resident bytes of the process, nil where nobody knows.
    func workerPulse(lag: Duration, memory: Int?)
}

extension WorkerObserver {
    public func workerStarted(name: String, kinds: [String]) {}
    public func workerStopping(hurried: Bool) {}
    public func workerStopped() {}
    public func jobStarted(_ job: ObservedJob) {}
    public func jobEnded(_ job: ObservedJob, _ end: JobEnd) {}
    public func jobBlocks(_ id: JobID, kind: String, held: Duration, moved: Bool) {}
    public func jobGivenUp(_ id: JobID, kind: String) {}
    public func threadsLost(_ count: Int, blocking: Bool) {}
    public func concurrencyChanged(kind: String, to concurrency: Int, reason: String) {}
    public func workerPulse(lag: Duration, memory: Int?) {}
}

/// One attempt of one job.
public struct ObservedJob: Sendable, Hashable {
    public let id: JobID
    public let kind: String
    /// From 1.
    public let attempt: Int
}

/// How one attempt ended, and what becomes of the job.
public struct JobEnd: Sendable, Equatable {
    public enum Fate: Sendable, Equatable {
        case completed
        /// Runs again after the delay.
        case retrying(JobError, after: Duration)
        /// Runs again after the delay, nothing charged.
        case snoozed(Duration)
        /// For good.
        case failed(JobError, FailureReason)
        case cancelled
        /// Runs again, here or elsewhere, nothing charged.
        case givenBack
    }

    public let fate: Fate
    public let ran: Duration
}

extension WorkerObserver {
    func observe(_ event: WorkerEvent) {
        switch event {
        case .started(let name, let kinds):
            workerStarted(name: name, kinds: kinds)
        case .stopping(let mode):
            workerStopping(hurried: mode == .now)
        case .stopped:
            workerStopped()
        case .jobStarted(let kind, let id, let attempt):
            jobStarted(ObservedJob(id: id, kind: kind, attempt: attempt))
        case .jobEnded(let kind, let id, let attempt, let ending, let ran):
            jobEnded(ObservedJob(id: id, kind: kind, attempt: attempt), JobEnd(fate: JobEnd.Fate(ending), ran: ran))
        case .blocked(let kind, let id, let held, let moves):
            jobBlocks(id, kind: kind, held: held, moved: moves)
        case .abandoned(let kind, let id, _):
            jobGivenUp(id, kind: kind)
        case .threadsLost(let place, let threads):
            threadsLost(threads, blocking: place == .blocking)
        case .adapted(let kind, let concurrency, let reason):
            concurrencyChanged(kind: kind, to: concurrency, reason: reason)
        case .pulse(let lag, let memory):
            workerPulse(lag: lag, memory: memory)
        case .registered, .claimed, .memoryExceeded, .settled, .leasesLost, .heartbeatLost, .cancelRequested, .recovered,
            .promoted, .removed, .storeUnavailable, .storeAvailable, .drained, .unsettled:
            break
        }
    }
}

extension JobEnd.Fate {
    init(_ ending: Ending) {
        switch ending {
        case .completed: self = .completed
        case .retryable(let error, let delay), .crashed(let error, let delay): self = .retrying(error, after: delay)
        case .snoozed(let delay): self = .snoozed(delay)
        case .failed(let error, let reason): self = .failed(error, reason)
        case .cancelled: self = .cancelled
        case .givenBack: self = .givenBack
        }
    }
}
