import MartletStore

/// When what a worker says of itself is worth writing: at once when something happened, and now and then for numbers that are
/// never the same.
struct ReportPace {
    private static let interval: Duration = .seconds(10)
    /// From here on, in milliseconds, one sees a lag in what jobs do.
    private static let notableLag = 100

    private var last: WorkerReport?
    private var writtenAt = Moment(nanoseconds: 0)

    func isDue(_ report: WorkerReport, now: Moment) -> Bool {
        guard let last else { return true }
        if Self.steady(report) != Self.steady(last) { return true }
        return now >= writtenAt + Self.interval && report != last
    }

    mutating func written(_ report: WorkerReport, now: Moment) {
        last = report
        writtenAt = now
    }

    /// What does not change by itself.
    private static func steady(_ report: WorkerReport) -> WorkerReport {
        var steady = report
        steady.lagMs = report.lagMs.map { $0 >= notableLag ? notableLag : 0 }
        steady.highestLagMs = nil
        steady.memoryBytes = nil
        steady.highestMemoryBytes = nil
        for kind in report.kinds.keys { steady.kinds[kind]?.blocked?.ms = 0 }
        return steady
    }
}
