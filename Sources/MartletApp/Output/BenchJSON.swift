import MartletCore
import MartletStore

/// What a bench found, as scripts see it. Keys and their order are a contract, as in ``JobJSON``.
extension JSONWriter {
    package init(bench report: BenchReport) {
        self.init()
        field("bench", report.name.description)
        field("version", Version.current)
        field("at", report.at)
        field("machine", JSONWriter(machine: report.machine))
        field("database", JSONWriter(databaseOf: report))
        field("besides", JSONWriter(besides: report.before))
        field("options", JSONWriter(plan: report.plan))
        field("results", JSONWriter(results: report.results))
        field("removed", report.removed)
        field("bytes_before", report.before.bytes)
        field("bytes_after", report.bytesAfter)
    }

    init(sweep: BenchRemoval.Sweep) {
        self.init()
        field("removed", sweep.removed.map(\.description))
        field("jobs", sweep.jobs)
        field("alive", sweep.alive.map(\.description))
    }

    private init(machine: Machine) {
        self.init()
        field("processor", machine.processor)
        field("processors", machine.processors)
        field("memory_bytes", machine.memory)
        field("kernel", machine.kernel)
    }

    private init(databaseOf report: BenchReport) {
        self.init()
        field("url", report.database)
        field("engine", report.conditions.engine)
        field("settings", JSONWriter(settings: report.conditions))
        number("round_trip_ms", report.roundTrip?.median)
    }

    private init(settings conditions: StoreConditions) {
        self.init()
        for setting in conditions.settings { field(setting.name, setting.value) }
    }

    private init(besides found: BenchSurroundings) {
        self.init()
        field("workers", found.workers)
        field("available", found.available)
        field("running", found.running)
    }

    private init(plan: BenchPlan) {
        self.init()
        field("only", plan.cases.map(\.rawValue))
        field("jobs", plan.jobs)
        field("tasks", plan.tasks)
        field("concurrency", plan.concurrency)
        field("in_flight", plan.inFlight)
        field("seconds", plan.seconds)
        field("runs", plan.runs)
    }

    private init(results: BenchResults) {
        self.init()
        for one in BenchCase.allCases {
            let metrics = BenchMetric.allCases.filter { $0.of == one && results[$0] != nil }
            if !metrics.isEmpty { field(one.key, JSONWriter(metrics: metrics, of: results)) }
        }
    }

    private init(metrics: [BenchMetric], of results: BenchResults) {
        self.init()
        for metric in metrics { field(metric.key, results[metric].map { JSONWriter(figures: $0, metric.unit) }) }
    }

    private init(figures: Figures, _ unit: BenchMetric.Unit) {
        self.init()
        field("unit", unit.rawValue)
        number("median", figures.median)
        number("least", figures.least)
        number("most", figures.most)
        numbers("values", figures.values)
    }
}

extension BenchCase {
    /// As keys are written.
    var key: String { rawValue.replacing("-", with: "_") }
}
