import MartletCore

/// How long a job of a kind holds its slot, as measured here: an average that follows.
struct Cost: Equatable {
    /// A kind whose jobs are over sooner than this is fast: its slots are as good as free, and its jobs are claimed ahead.
    static let horizon: Duration = .milliseconds(50)
    /// A runner takes as many jobs at a time as are done in this.
    static let helping: Duration = .microseconds(200)
    static let largestHelping = 256

    private(set) var nanoseconds: Double?

    var isFast: Bool {
        guard let nanoseconds else { return false }
        return nanoseconds <= Double(Self.horizon.nanoseconds)
    }

    /// - Parameter total: the time all of them took together, one after another.
    mutating func measure(jobs: Int, total: Duration) {
        guard jobs > 0 else { return }
        // The clock has its grain; nothing is for nothing.
        let sample = max(Double(total.nanoseconds) / Double(jobs), 100)
        // Short jobs are many and settle the average soon; a kind that turned slow is believed at once, because jobs claimed
        // ahead of it would wait.
        guard let old = nanoseconds, sample < old * 8 else {
            nanoseconds = sample
            return
        }
        nanoseconds = old + (sample - old) * 0.25
    }

    /// How many jobs `slots` of them run within a time.
    func jobs(within time: Duration, slots: Int) -> Int {
        guard let nanoseconds else { return 0 }
        return Int(min(Double(time.nanoseconds) / nanoseconds * Double(slots), 1e9))
    }

    /// How many jobs one runner takes at a time.
    var helping: Int { min(max(jobs(within: Self.helping, slots: 1), 1), Self.largestHelping) }
}
