import Glibc
import MartletCore
import MartletStore

/// Counts what runs of one kind did, until a window is over.
struct Meter {
    private var startedAt: Moment
    private var lookedAt: Moment
    /// How many were held at the last look.
    private var slots = 0
    private var completed = 0
    private var failed = 0
    private var held: Duration = .zero
    private var total: Duration = .zero
    /// By the power of two of their nanoseconds.
    private var durations = [Int](repeating: 0, count: 64)
    /// Wider than any sum of sizes, which children tell of themselves.
    private var memory: Int128 = 0
    private var memoryRuns = 0

    init(now: Moment) {
        startedAt = now
        lookedAt = now
    }

    /// - Parameter slots: held from now on, as far as looks show. Nobody looks while nothing runs.
    mutating func look(slots: Int, now: Moment) {
        held += (now - lookedAt) * self.slots
        self.slots = slots
        lookedAt = now
    }

    mutating func count(_ settlements: [Settlement]) {
        for settlement in settlements {
            switch settlement.ending {
            case .completed: completed += 1
            // A handler that gives a job up has done its part.
            case .failed(_, .discarded): completed += 1
            case .retryable, .crashed, .failed: failed += 1
            // They say nothing of how the runs do.
            case .snoozed, .cancelled, .givenBack: continue
            }
            total += settlement.ran
            durations[63 - max(settlement.ran.nanoseconds, 1).leadingZeroBitCount] += 1
            if let peak = settlement.usage?.peakMemory {
                memory += Int128(peak)
                memoryRuns += 1
            }
        }
    }

    func length(now: Moment) -> Duration { now - startedAt }

    /// Ends the window, and begins the next one.
    mutating func close(machine: AutoLimit.Machine, now: Moment) -> AutoLimit.Window {
        defer {
            let slots = slots
            self = Meter(now: now)
            self.slots = slots
        }
        var window = AutoLimit.Window(length: (now - startedAt).seconds)
        window.completed = completed
        window.failed = failed
        window.held = held.seconds
        let runs = completed + failed
        if runs > 0 { window.mean = total.seconds / Double(runs) }
        window.tail = tail(of: runs)
        if memoryRuns > 0 { window.memoryPerRun = Int(memory / Int128(memoryRuns)) }
        window.machine = machine
        return window
    }

    private func tail(of runs: Int) -> Double {
        var left = runs - runs / 20
        guard
            let power = durations.indices.first(where: { power in
                left -= durations[power]
                return left <= 0
            }), runs > 0
        else { return 0 }
        return exp2(Double(power + 1)) / 1e9
    }
}

extension Duration {
    fileprivate var seconds: Double { Double(nanoseconds) / 1e9 }
}
