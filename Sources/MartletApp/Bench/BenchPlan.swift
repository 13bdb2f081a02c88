import MartletCore

/// What can be measured, in the order it is done.
package enum BenchCase: String, Sendable, CaseIterable {
    case enqueue, drain, latency
    case inFlight = "in-flight"
}

/// What `martlet bench` is to do.
package struct BenchPlan: Sendable, Equatable {
    package var cases = BenchCase.allCases
    /// Enqueued in bulk, then drained; and the most that are enqueued one by one.
    package var jobs = 50_000
    /// So many enqueue one by one at the same time.
    package var tasks = 64
    /// Jobs of the worker at a time, while it drains.
    package var concurrency = 100
    /// Jobs that wait at the same time.
    package var inFlight = 10_000
    /// How long one run enqueues one by one, and how long it looks at latency.
    package var seconds = 3
    package var runs = 3

    package init() {}

    package func measures(_ wanted: BenchCase) -> Bool { cases.contains(wanted) }

    /// The most jobs that are in the database at a time.
    package var mostAtATime: Int {
        var most = measures(.latency) ? seconds * Self.latencyJobs : 0
        if measures(.enqueue) || measures(.drain) { most = max(most, jobs) }
        if measures(.inFlight) { most = max(most, inFlight) }
        return most
    }

    /// The most in all.
    package var mostJobs: Int {
        var most = measures(.latency) ? seconds * Self.latencyJobs : 0
        if measures(.enqueue) || measures(.drain) { most += jobs }
        if measures(.enqueue) { most += jobs }
        if measures(.inFlight) { most += inFlight }
        return most * runs
    }

    /// One after a pause, in a second.
    private static let latencyJobs = 100
}

extension BenchPlan {
    /// - Parameter text: `enqueue,drain`.
    package static func cases(_ text: String, field: String) throws(InvalidInput) -> [BenchCase] {
        var chosen: Set<BenchCase> = []
        for name in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let one = BenchCase(rawValue: String(name)) else {
                let names = BenchCase.allCases.map(\.rawValue)
                let known =
                    Suggestion.nearest(to: String(name), in: names).map { "did you mean \($0)?" }
                    ?? "there is \(names.joined(separator: ", "))"
                throw InvalidInput(
                    field: field, reason: "nothing called \(String(name).debugDescription) is measured; \(known)")
            }
            chosen.insert(one)
        }
        return BenchCase.allCases.filter(chosen.contains)
    }
}
