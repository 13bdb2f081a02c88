import Glibc

extension AutoLimit {
    /// What was seen under one limit.
    struct Sample: Equatable {
        private(set) var windows = 0.0
        private var completed = 0.0
        private var failed = 0.0
        private var held = 0.0
        private var mean = 0.0
        private var tail = 0.0

        /// Completed runs per second and place.
        var rate: Double { held > 0 ? completed / held : 0 }
        var failedShare: Double { completed + failed > 0 ? failed / (completed + failed) : 0 }
        /// Runs, completed and failed.
        var runs: Double { completed + failed }

        /// - Parameter noise: what windows at one limit differ by, as a share; follows what is seen here.
        mutating func add(_ window: Window, noise: inout Double) {
            if windows >= 1, rate > 0 {
                // A jump is no noise, and says little of it.
                let off = min(abs(window.rate / rate - 1), max(3 * noise, 0.05))
                noise = (noise * noise * 0.9 + off * off * 0.1).squareRoot()
            }
            windows += 1
            completed += Double(window.completed)
            failed += Double(window.failed)
            held += window.held
            mean += (window.mean - mean) / windows
            tail += (window.tail - tail) / windows
        }

        /// The past counts less and less.
        mutating func fade() {
            let keep = 0.93
            windows *= keep
            completed *= keep
            failed *= keep
            held *= keep
        }

        /// The likely error of ``rate``, as a share.
        func error(noise: Double) -> Double {
            guard completed > 0 else { return 1 }
            // One run more or less is chance.
            return (noise * noise / max(windows, 1) + 1 / (completed * completed)).squareRoot()
        }

        /// Whether others can be compared with it.
        var isEnough: Bool { windows >= 1.8 && (runs >= 4 || windows >= 10) }

        enum Change { case worse, better }

        /// nil: the window, and the one before it, are like the others.
        func change(to window: Window, after last: Window, noise: Double) -> Change? {
            let doubt = 3 * (max(failedShare * (1 - failedShare), 0.01) / max(Double(window.runs), 1)).squareRoot()
            if window.failedShare > failedShare + max(0.05, doubt) { return .worse }
            let completed = Double(window.completed + last.completed)
            let now = completed / max(window.held + last.held, .leastNormalMagnitude)
            let tolerance = max(0.15, 2.5 * noise, 3 / max(completed, 1).squareRoot() / 2)
            if rate > 0, now < rate * (1 - min(tolerance, 0.9)) { return .worse }
            if now > rate * (1 + tolerance) { return .better }
            return min(window.tail, last.tail) > 4 * tail && window.mean > 1.2 * mean ? .worse : nil
        }
    }

    /// Which of two limits is the better one.
    struct Verdict {
        /// Whether the higher limit is worth it; nil: they cannot be told apart, as nothing succeeds.
        let isWorth: Bool?
        let reason: String
        /// How far it is from the other verdict, as a share, and how much of that may be chance.
        private let distance: Double
        private let doubt: Double
        private let isFine: Bool

        /// How much more a limit must do that is so many times higher: 9 % for twice as many.
        private static func significant(_ factor: Double) -> Double { pow(factor, 0.12) - 1 }

        init(lower: (limit: Int, sample: Sample), upper: (limit: Int, sample: Sample), noise: Double) {
            let low = lower.sample.rate * Double(lower.limit)
            let high = upper.sample.rate * Double(upper.limit)
            let significant = Self.significant(Double(upper.limit) / Double(lower.limit))
            let doubts = (lower.sample.error(noise: noise), upper.sample.error(noise: noise))
            doubt = (doubts.0 * doubts.0 + doubts.1 * doubts.1).squareRoot()
            isFine = doubt <= max(significant / 2, 0.015)
            guard low > 0 || high > 0 else {
                isWorth = nil
                distance = 0
                reason = "nothing succeeds"
                return
            }
            let excess = Self.excess(lower.sample, upper.sample)
            let worth = high * (1 - excess / max(1 - upper.sample.failedShare, 0.001))
            isWorth = worth > low * (1 + significant)
            distance = abs(worth / max(low * (1 + significant), .leastNormalMagnitude) - 1)
            let gain = low > 0 ? Int((min(high / low, 100) * 100).rounded()) - 100 : 100
            let more = gain == 0 ? "as much as" : gain > 0 ? "\(gain) % more than" : "\(-gain) % less than"
            let errors = excess > 0 ? ", with \(Int((excess * 100).rounded())) % more errors" : ""
            reason = "\(upper.limit) at a time do \(more) \(lower.limit)\(errors)"
        }

        /// Errors that the higher limit alone has, as a share of its runs.
        private static func excess(_ lower: Sample, _ upper: Sample) -> Double {
            let more = upper.failedShare - lower.failedShare
            let share = max(lower.failedShare, upper.failedShare)
            let doubt = 2 * (share * (1 - share) / max(min(lower.runs, upper.runs), 1)).squareRoot()
            return more > doubt ? more : 0
        }

        var isLikely: Bool { isFine || distance > 0.4 * doubt }

        /// - Parameter windows: of the trial.
        func isClear(after windows: Double) -> Bool {
            guard isWorth != nil else { return false }
            if windows >= 2, isFine { return true }
            return distance > (windows >= 2 ? 2 : 3) * max(doubt, 0.02)
        }
    }
}
