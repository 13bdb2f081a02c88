import MartletCore
import MartletStore

/// Everything that a bench found, as a person pastes it into a report of a problem.
package struct BenchReport: Sendable {
    package var plan: BenchPlan
    package var name: BenchName
    package var at: Timestamp
    package var machine: Machine
    /// Without a password.
    package var database: String
    package var conditions: StoreConditions
    /// In milliseconds; nil where no server is asked.
    package var roundTrip: Figures?
    /// Before it began.
    package var before: BenchSurroundings
    package var results: BenchResults
    /// Its own jobs, taken out of the database again.
    package var removed: Int
    /// What the queue took of the disk afterwards.
    package var bytesAfter: Int

    package init(
        plan: BenchPlan, name: BenchName, at: Timestamp, machine: Machine, database: String, conditions: StoreConditions,
        roundTrip: Figures?, before: BenchSurroundings, results: BenchResults, removed: Int, bytesAfter: Int
    ) {
        self.plan = plan
        self.name = name
        self.at = at
        self.machine = machine
        self.database = database
        self.conditions = conditions
        self.roundTrip = roundTrip
        self.before = before
        self.results = results
        self.removed = removed
        self.bytesAfter = bytesAfter
    }

    /// Runs that lie further apart than this say more about what else went on than about the queue.
    static let noise = 0.4

    /// Of a drain that takes less, in seconds, the worker's start and end are a good part.
    static let brief = 0.5

    // MARK: Text

    package func text(on stream: Outlet) -> String {
        var facts = Table(("", .left), ("", .left))
        for (name, value) in head { facts.add([.init(name, .dim), .init(value)]) }
        let lines = facts.rendered(on: stream).split(separator: "\n", omittingEmptySubsequences: false).dropFirst()
        return lines.joined(separator: "\n") + "\n" + table(on: stream) + "\n" + notes.map { $0 + "\n" }.joined()
    }

    private var head: [(String, String)] {
        let settings = conditions.settings.map { "\($0.name) \($0.value)" }.joined(separator: ", ")
        let trip = roundTrip.map { "; a round trip takes \(BenchMetric.p50.text($0.median))" } ?? ""
        return [
            ("martlet", "\(Version.current), \(at.rfc3339)"), ("machine", machine.text), ("database", database),
            ("engine", conditions.engine + trip), ("settings", settings), ("besides", before.text),
            ("runs", plan.runs == 1 ? "1" : "\(plan.runs), of which medians"),
        ]
    }

    private func table(on stream: Outlet) -> String {
        var table = Table(
            ("CASE", .left), ("WHAT", .left), (plan.runs == 1 ? "MEASURED" : "MEDIAN", .right),
            (plan.runs == 1 ? "" : "LEAST TO MOST", .left))
        for metric in BenchMetric.allCases {
            guard let figures = results[metric] else { continue }
            let isNoisy = (figures.spread ?? 0) > Self.noise
            table.add([
                .init(metric.of.rawValue), .init(metric.label(plan)), .init(metric.text(figures.median), .bold),
                .init(
                    figures.values.count == 1 ? "" : "\(metric.text(figures.least)) to \(metric.text(figures.most))",
                    isNoisy ? .yellow : .dim),
            ])
        }
        return table.rendered(on: stream)
    }

    private var notes: [String] {
        var notes: [String] = []
        if isNoisy {
            notes.append("Some runs lie far apart: something else was at work. --runs takes more of them.")
        }
        if let seconds = drainSeconds, seconds < Self.brief {
            notes.append(
                "A drain took \(RelativeTime.span(.seconds(seconds))), of which a worker's start and end are a good part; "
                    + "more --jobs say more of long ones.")
        }
        let growth = bytesAfter - before.bytes
        let room = growth > 0 ? "the queue takes \(ByteCount.text(growth)) more of the disk, \(conditions.freed)" : nil
        notes.append("\(Counted.jobs(removed)) of \(name) removed" + (room.map { "; \($0)" } ?? ""))
        return notes
    }

    private var drainSeconds: Double? { results[.drained].map { Double(plan.jobs) / $0.median } }

    private var isNoisy: Bool {
        BenchMetric.allCases.contains { metric in
            // The slowest of all is never twice the same.
            metric != .slowest && metric.unit != .bytes && (results[metric]?.spread ?? 0) > Self.noise
        }
    }
}

extension BenchSurroundings {
    var isQuiet: Bool { workers + available + running == 0 }

    var text: String {
        guard !isQuiet else { return "no other worker, no other job" }
        return "\(Counted.grouped(workers)) other \(workers == 1 ? "worker" : "workers") alive, "
            + "\(Counted.jobs(available)) waiting, \(Counted.grouped(running)) running"
    }
}
