import Foundation
import Glibc
import MartletCore
import MartletStore

package struct WorkerConfiguration: Sendable {
    /// Shown to people.
    package var name: String
    package var version: String
    /// nil: all queues.
    package var queues: [String]?
    /// At most this many handlers at a time, all kinds together.
    package var concurrency: Int
    /// At most this many threads for handlers that block, all kinds together; the others wait for one.
    package var blockingThreads: Int
    /// How long the worker may be silent before others take its jobs.
    package var lease: Duration
    /// How often the store is asked for work when nothing hints at any: bounds the delay of a missed hint.
    package var poll: Duration
    /// How long a graceful stop waits for running handlers before it cancels them; ``StopMode/now`` begins with that.
    ///
    /// A cancelled handler has its ``Handler/unwind`` to end, 10 s by default. For a command cancellation is SIGTERM to its
    /// process group, after ``CommandSpec/killGrace``, 5 s by default, SIGKILL, and the unwind is 5 s more than that. Whoever
    /// does not end by then is written off, and its job given back. The last endings and each call of the store that is under
    /// way have 5 s. So with a store that answers a worker ends at most `grace` + the longest unwind after the first order,
    /// and at most the longest unwind after ``StopMode/now``, give or take a second; without one, up to half a minute later.
    package var grace: Duration
    /// Resident bytes of the process above which the worker ends gracefully with ``MemoryExceeded``; nil: no limit.
    package var maxMemory: Int?
    /// End when nothing is available, running here or due.
    package var drain: Bool
    package var retention: RetentionPolicy
    /// How often dead workers are looked for; nil: as often as the store and the lease suggest.
    package var recovery: Duration?
    /// How often ended jobs are looked through for those past their retention.
    package var cleaning: Duration
    /// What is kept out of errors and the log.
    package var redaction: Redaction
    /// At most this many jobs at a time of ``Suspicion/grave`` suspicion, each in a process of its own: these take memory.
    package var suspects = ProcessInfo.processInfo.activeProcessorCount
    /// So many short jobs begin whatever the threads do, others only when one has nothing to do: see ``Crowd``.
    package var crowd = Crowd.least

    package init(
        name: String? = nil, version: String = "unknown", queues: [String]? = nil, concurrency: Int = 10,
        blockingThreads: Int = Limits.defaultBlockingThreads, lease: Duration = .seconds(30), poll: Duration = .seconds(1),
        grace: Duration = .seconds(30), maxMemory: Int? = nil, drain: Bool = false,
        retention: RetentionPolicy = RetentionPolicy(), recovery: Duration? = nil, cleaning: Duration = .seconds(60),
        redaction: Redaction = Redaction()
    ) {
        precondition(concurrency > 0 && lease > .zero && poll > .zero && grace >= .zero)
        self.name = name ?? "\(Self.host):\(getpid())"
        self.version = version
        self.queues = queues
        self.concurrency = concurrency
        self.blockingThreads = blockingThreads
        self.lease = lease
        self.poll = poll
        self.grace = grace
        self.maxMemory = maxMemory
        self.drain = drain
        self.retention = retention
        self.recovery = recovery
        self.cleaning = cleaning
        self.redaction = redaction
    }

    package static let host: String = {
        // Linux host names have at most 64 bytes.
        var buffer = [CChar](repeating: 0, count: 65)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "localhost" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }()

    func registration(kinds: [String], report: JSONText) -> WorkerRegistration {
        WorkerRegistration(
            name: name, host: Self.host, pid: Int(getpid()), version: version, kinds: kinds, queues: queues,
            concurrency: concurrency, lease: lease,
            report: report)
    }
}
