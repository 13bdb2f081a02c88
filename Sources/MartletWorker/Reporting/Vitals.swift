import MartletCore
import MartletStore

/// How the worker's threads do, as looks at them show. Under the floor's lock.
struct Vitals {
    /// What is told about once a second while something runs.
    struct Pulse: Equatable {
        /// The longest that a task waited for a thread since the pulse before.
        let lag: Duration
    }

    private static let beat: Duration = .seconds(1)

    private let threads: [HandlerPlace: Int]
    private var lost: [HandlerPlace: Int] = [:]
    private var lagOfPulse: Duration = .zero
    private var lagOfReport: Duration = .zero
    private var highestLag: Duration = .zero
    private var highestMemory = 0
    private var pulseAt: Moment

    /// - Parameter threads: so many there may be.
    init(threads: [HandlerPlace: Int], now: Moment) {
        self.threads = threads
        pulseAt = now + Self.beat
    }

    mutating func saw(lag: Duration) {
        lagOfPulse = max(lagOfPulse, lag)
        lagOfReport = max(lagOfReport, lag)
        highestLag = max(highestLag, lag)
    }

    /// So many threads are held by handlers that were given up.
    /// - Returns: whether these were the last ones, just now: from here on nothing runs in that place.
    mutating func lost(_ count: Int, _ place: HandlerPlace) -> Bool {
        let before = lost[place] ?? 0
        lost[place] = count
        guard let all = threads[place] else { return false }
        return count >= all && before < all
    }

    /// - Returns: nil: the last one was a moment ago.
    mutating func pulse(now: Moment) -> Pulse? {
        guard now >= pulseAt else { return nil }
        pulseAt = now + Self.beat
        defer { lagOfPulse = .zero }
        return Pulse(lag: lagOfPulse)
    }

    mutating func describe(_ report: inout WorkerReport, memory: (resident: Int, highest: Int)?) {
        report.lagMs = Int(lagOfReport.milliseconds)
        report.highestLagMs = Int(highestLag.milliseconds)
        if let memory {
            highestMemory = max(highestMemory, memory.resident, memory.highest)
            report.memoryBytes = memory.resident
            report.highestMemoryBytes = highestMemory
        }
        report.lostThreads = loss(.coroutines)
        report.lostBlockingThreads = loss(.blocking)
    }

    private func loss(_ place: HandlerPlace) -> WorkerReport.Lost? {
        guard let count = lost[place], count > 0, let all = threads[place] else { return nil }
        return WorkerReport.Lost(threads: count, of: all)
    }

    /// A report is written: what comes counts for the next one.
    mutating func reported() { lagOfReport = .zero }
}
