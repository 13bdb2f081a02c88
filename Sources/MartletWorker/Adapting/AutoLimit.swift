import Glibc

/// Finds how many runs of a kind at a time do best, from what windows of about a second show.
///
/// There is a **base**, the limit that stands, and now and then a **trial** of another one. Both are measured by what one run's
/// place does per second, so that a window in which not every place was taken misleads little; one in which the limit was
/// hardly used says nothing. Of two limits the higher one must be worth it: its goodput must be greater by a significant share,
/// and errors count against it as far as they are more than the lower one has too. Errors that come at any limit are nobody's
/// reason to run fewer.
///
/// ```
///            worth it: becomes the base, the next trial follows at once
/// base ──────────────▶ trial ×2, ×1.5, ×1.25 ─────────┐
///   ▲                                                 │ not worth it: back, a smaller step next;
///   └─────────────────────────────────────────────────┘ after the smallest one a pause, longer each time
/// ```
/// Upward and downward trials take turns. More errors than the base had, slower runs, or a goodput that is another one than
/// before, begin it all anew: downward where things got worse.
struct AutoLimit {
    struct Bounds {
        /// At most this many, by configuration.
        var highest: Int
        /// Its runs are processes: while the processors are busy, more of them are no use.
        var isProcess = false
    }

    struct Decision: Equatable {
        let limit: Int
        let reason: String
    }

    /// The limit in force: the base's or the trial's.
    private(set) var limit: Int
    /// The limit that stands, and why.
    private(set) var base: Decision
    /// Whether the base has stood a trial, here or before a restart.
    private(set) var hasFound = false
    private let bounds: Bounds

    private var measured = Sample()
    private var trial: Trial?
    /// Windows still to pass before runs that began under the last limit are over.
    private var settling = 0
    private var idle = 0
    private var search = Search()
    /// What windows at one limit differ by, as a share.
    private var noise = 0.1
    /// The one before.
    private var last: Window?

    private struct Trial {
        let limit: Int
        var sample = Sample()
    }

    init(bounds: Bounds, processors: Int) {
        self.bounds = bounds
        limit = max(min(processors, bounds.highest), 1)
        base = Decision(limit: limit, reason: "one per processor to begin with")
    }

    /// Begins from what an earlier worker had found, unless something was found here already.
    mutating func remember(_ found: Int) {
        guard measured == Sample(), trial == nil else { return }
        limit = max(min(found, bounds.highest), 1)
        base = Decision(limit: limit, reason: "found before the restart")
        hasFound = true
        search.step = 1
    }

    // MARK: Windows

    /// - Returns: what stands now, when that is another limit than before.
    mutating func close(_ window: Window) -> Decision? {
        let before = base.limit
        look(at: window)
        return base.limit == before ? nil : base
    }

    private mutating func look(at window: Window) {
        search.closed = max(search.closed - 1, 0)
        if window.machine.isShortOfMemory { return retreat(window) }
        guard window.used(of: limit) else {
            idle += 1
            // What a trial would show is not to be had now.
            if trial != nil, idle >= 5 { abandon() }
            return
        }
        idle = 0
        guard settling == 0 else {
            settling -= 1
            return
        }
        if trial != nil {
            trial?.sample.add(window, noise: &noise)
            judge(window)
        } else if !notices(window) {
            measured.fade()
            measured.add(window, noise: &noise)
            search.wait -= 1
            if search.wait <= 0, measured.isEnough { begin(window) }
        }
    }

    /// Whether the base is no longer what it was; then it is measured anew, and its neighbours soon.
    private mutating func notices(_ window: Window) -> Bool {
        defer { last = window }
        guard measured.windows >= 2, let last, let change = measured.change(to: window, after: last, noise: noise) else {
            return false
        }
        measured = Sample()
        measured.add(window, noise: &noise)
        search = Search(goesUp: change == .better)
        search.wait = 1
        return true
    }

    private mutating func retreat(_ window: Window) {
        search.closed = 30
        guard limit > 1 else { return }
        trial = nil
        limit = max(limit * 3 / 4, 1)
        base = Decision(limit: limit, reason: "memory is short: \(window.machine.memoryText)")
        measured = Sample()
        settling = 1
        search.step = Search.steps.count - 1
        search.wait = search.pause
    }

    // MARK: Trials

    private mutating func begin(_ window: Window) {
        // Errors from the start may be of our own making.
        if search.isFresh, measured.failedShare > 0.02 { search.goesUp = false }
        search.isFresh = false
        guard let target = target(window) else { return search.failed(wasSmallest: true) }
        trial = Trial(limit: target)
        move(to: target, window)
    }

    private func target(_ window: Window) -> Int? {
        let factor = exp2(Search.steps[search.step])
        guard search.goesUp else {
            let lower = min(Int((Double(base.limit) / factor).rounded()), base.limit - 1)
            return lower >= 1 ? lower : nil
        }
        guard search.closed == 0 else { return nil }
        let higher = min(max(Int((Double(base.limit) * factor).rounded()), base.limit + 1), bounds.highest)
        guard higher > base.limit else { return nil }
        if bounds.isProcess, window.machine.areProcessorsBusy { return nil }
        guard window.machine.hasMemory(for: higher - base.limit, runsOf: window.memoryPerRun) else { return nil }
        return higher
    }

    private mutating func move(to target: Int, _ window: Window) {
        limit = target
        // Runs begun before end within about one mean; what is much shorter than a window needs no time to settle.
        settling = min(max(Int((window.mean / window.length + 0.9).rounded(.down)), 0), 15)
        idle = 0
    }

    private mutating func judge(_ window: Window) {
        guard let trial else { return }
        let isUp = trial.limit > base.limit
        let verdict =
            isUp
            ? Verdict(lower: (base.limit, measured), upper: (trial.limit, trial.sample), noise: noise)
            : Verdict(lower: (trial.limit, trial.sample), upper: (base.limit, measured), noise: noise)
        // Long runs need longer to show anything.
        let isLong = trial.sample.windows >= max(8, 3 * window.mean / window.length)
        guard verdict.isClear(after: trial.sample.windows) || isLong else { return }
        hasFound = true
        // In doubt fewer at a time: many are no use when something turns slow.
        guard verdict.isWorth == isUp, !isUp || verdict.isLikely else { return reject(trial, window) }
        self.trial = nil
        base = Decision(limit: trial.limit, reason: verdict.reason)
        measured = trial.sample
        search.found()
    }

    private mutating func reject(_ trial: Trial, _ window: Window) {
        self.trial = nil
        move(to: base.limit, window)
        // Smaller steps would lead to the same place.
        search.failed(wasSmallest: abs(trial.limit - base.limit) == 1)
    }

    private mutating func abandon() {
        trial = nil
        limit = base.limit
        settling = 1
        search.wait = search.pause
    }
}

extension AutoLimit {
    /// Where to look next.
    struct Search: Equatable {
        /// Log2 of the factor, largest first.
        static let steps = [1.0, 0.585, 0.322]

        var step = 0
        var goesUp = true
        /// Nothing was tried yet.
        var isFresh = true
        private var wentUp = false
        private var failures = 0
        /// Windows until the next trial.
        var wait = 0
        private(set) var pause = 4
        /// The way up is closed for so many windows, as memory was short.
        var closed = 0

        init(goesUp: Bool = true) {
            self.goesUp = goesUp
            isFresh = goesUp
        }

        mutating func found() {
            step = max(step - 1, 0)
            wait = 0
            failures = 0
            pause = 4
            if goesUp { wentUp = true }
        }

        /// A trial was not better than the base.
        mutating func failed(wasSmallest: Bool) {
            wait = 1
            guard wasSmallest || step == Self.steps.count - 1 else {
                step += 1
                return
            }
            // First everything in one direction, then in the other; then it is enough for a while.
            if goesUp { wentUp = true }
            goesUp.toggle()
            step = goesUp && !wentUp ? 0 : Self.steps.count - 1
            failures += 1
            guard failures >= 2 else { return }
            wait = pause
            pause = min(pause * 3, 60)
        }
    }
}
