import CoreMetrics
import MartletCore
import Synchronization

/// What a worker does, as metrics of swift-metrics: whatever backend the program has chosen by `MetricsSystem.bootstrap` gets them.
///
/// ```swift
/// configuration.observers = [WorkerMetrics()]
/// ```
/// | name | is | labels |
/// |---|---|---|
/// | `martlet_jobs_started_total` | counter | kind |
/// | `martlet_jobs_ended_total` | counter | kind, fate: completed, retrying, snoozed, failed, cancelled, given_back, given_up |
/// | `martlet_job_seconds` | recorder, of every run that ended | kind |
/// | `martlet_blocked_total` | counter, of runs that held a thread which others waited for | kind |
/// | `martlet_concurrency` | gauge, of kinds that adapt | kind |
/// | `martlet_lag_seconds` | gauge, how long a task waited for a thread at most in the last second | |
/// | `martlet_resident_bytes` | gauge | |
/// | `martlet_threads_lost_total` | counter, of times that no thread was left | threads: coroutine, blocking |
public final class WorkerMetrics: WorkerObserver {
    private struct Label: Hashable {
        let name: String
        let value: String
    }

    private struct Instruments {
        var counters: [[Label]: Counter] = [:]
        var gauges: [[Label]: Gauge] = [:]
        var recorders: [[Label]: Recorder] = [:]
    }

    private let factory: (any MetricsFactory)?
    /// Each is asked for once: a backend's table of all its metrics is nothing for each job.
    private let instruments = Mutex(Instruments())

    /// - Parameter factory: nil: the program's, see `MetricsSystem.bootstrap`.
    public init(factory: (any MetricsFactory)? = nil) { self.factory = factory }

    public func jobStarted(_ job: ObservedJob) { count("martlet_jobs_started_total", ["kind": job.kind]) }

    public func jobEnded(_ job: ObservedJob, _ end: JobEnd) {
        count("martlet_jobs_ended_total", ["kind": job.kind, "fate": end.fate.label])
        recorder("martlet_job_seconds", ["kind": job.kind]).record(end.ran.seconds)
    }

    public func jobGivenUp(_ id: JobID, kind: String) {
        count("martlet_jobs_ended_total", ["kind": kind, "fate": "given_up"])
    }

    public func jobBlocks(_ id: JobID, kind: String, held: Duration, moved: Bool) {
        count("martlet_blocked_total", ["kind": kind])
    }

    public func threadsLost(_ count: Int, blocking: Bool) {
        self.count("martlet_threads_lost_total", ["threads": blocking ? "blocking" : "coroutine"])
    }

    public func concurrencyChanged(kind: String, to concurrency: Int, reason: String) {
        gauge("martlet_concurrency", ["kind": kind]).record(concurrency)
    }

    public func workerPulse(lag: Duration, memory: Int?) {
        gauge("martlet_lag_seconds", [:]).record(lag.seconds)
        if let memory { gauge("martlet_resident_bytes", [:]).record(memory) }
    }

    // MARK: Instruments

    private var made: any MetricsFactory { factory ?? MetricsSystem.factory }

    private static func key(_ name: String, _ labels: KeyValuePairs<String, String>) -> [Label] {
        [Label(name: "", value: name)] + labels.map { Label(name: $0.key, value: $0.value) }
    }

    private func count(_ name: String, _ labels: KeyValuePairs<String, String>) {
        let counter = instruments.withLock { instruments in
            let key = Self.key(name, labels)
            if let counter = instruments.counters[key] { return counter }
            let counter = Counter(label: name, dimensions: labels.map { ($0.key, $0.value) }, factory: made)
            instruments.counters[key] = counter
            return counter
        }
        counter.increment()
    }

    private func gauge(_ name: String, _ labels: KeyValuePairs<String, String>) -> Gauge {
        instruments.withLock { instruments in
            let key = Self.key(name, labels)
            if let gauge = instruments.gauges[key] { return gauge }
            let gauge = Gauge(label: name, dimensions: labels.map { ($0.key, $0.value) }, factory: made)
            instruments.gauges[key] = gauge
            return gauge
        }
    }

    private func recorder(_ name: String, _ labels: KeyValuePairs<String, String>) -> Recorder {
        instruments.withLock { instruments in
            let key = Self.key(name, labels)
            if let recorder = instruments.recorders[key] { return recorder }
            let recorder = Recorder(
                label: name, dimensions: labels.map { ($0.key, $0.value) }, aggregate: true, factory: made)
            instruments.recorders[key] = recorder
            return recorder
        }
    }
}

extension JobEnd.Fate {
    fileprivate var label: String {
        switch self {
        case .completed: "completed"
        case .retrying: "retrying"
        case .snoozed: "snoozed"
        case .failed: "failed"
        case .cancelled: "cancelled"
        case .givenBack: "given_back"
        }
    }
}

extension Duration {
    fileprivate var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
