import MartletCore

/// One figure of the report.
package enum BenchMetric: String, Sendable, CaseIterable {
    case bulk, single
    case drained, processorTime
    case acknowledged, p50, p90, p99, slowest
    case started, memory, memoryPerJob

    package enum Unit: String, Sendable {
        case rate = "jobs/s"
        case microseconds = "µs/job"
        case milliseconds = "ms"
        case bytes = "bytes"
    }

    package var of: BenchCase {
        switch self {
        case .bulk, .single: .enqueue
        case .drained, .processorTime: .drain
        case .acknowledged, .p50, .p90, .p99, .slowest: .latency
        case .started, .memory, .memoryPerJob: .inFlight
        }
    }

    package var unit: Unit {
        switch self {
        case .bulk, .single, .drained, .started: .rate
        case .processorTime: .microseconds
        case .acknowledged, .p50, .p90, .p99, .slowest: .milliseconds
        case .memory, .memoryPerJob: .bytes
        }
    }

    /// In JSON, under the case.
    package var key: String {
        switch self {
        case .bulk: "bulk"
        case .single: "single"
        case .drained: "rate"
        case .processorTime: "processor_time"
        case .acknowledged: "acknowledged_p50"
        case .p50: "p50"
        case .p90: "p90"
        case .p99: "p99"
        case .slowest: "max"
        case .started: "start_rate"
        case .memory: "memory"
        case .memoryPerJob: "memory_per_job"
        }
    }

    /// What it is of, for a person.
    package func label(_ plan: BenchPlan) -> String {
        switch self {
        case .bulk:
            "\(Counted.jobs(plan.jobs)) in batches of \(Counted.grouped(min(plan.jobs, Limits.enqueueBatch)))"
        case .single:
            "one by one, \(Counted.grouped(plan.tasks)) \(plan.tasks == 1 ? "task" : "tasks")"
        case .drained: "\(Counted.jobs(plan.jobs)) that do nothing"
        case .processorTime: "processor time of this process"
        case .acknowledged: "enqueued and durable, p50"
        case .p50: "enqueue to start, p50"
        case .p90: "enqueue to start, p90"
        case .p99: "enqueue to start, p99"
        case .slowest: "enqueue to start, longest"
        case .started: "\(Counted.jobs(plan.inFlight)) that wait at the same time"
        case .memory: "memory of this process meanwhile"
        case .memoryPerJob: "memory that one of them takes"
        }
    }

    package func text(_ value: Double) -> String {
        switch unit {
        case .rate: "\(Counted.grouped(Int(value.rounded()))) jobs/s"
        case .microseconds: "\(Self.decimal(value, 1)) µs/job"
        case .milliseconds: "\(Self.decimal(value, 2)) ms"
        case .bytes: ByteCount.text(Int(value.rounded()))
        }
    }

    static func decimal(_ value: Double, _ digits: Int) -> String {
        var scale = 1
        for _ in 0..<digits { scale *= 10 }
        let scaled = Int((value * Double(scale)).rounded())
        return "\(scaled / scale)." + String(scale + scaled % scale).dropFirst()
    }
}

/// What the runs came to.
package struct BenchResults: Sendable, Equatable {
    private var values: [BenchMetric: [Double]] = [:]

    package init() {}

    package mutating func add(_ value: Double, to metric: BenchMetric) { values[metric, default: []].append(value) }

    /// Latencies of one run, in milliseconds.
    package mutating func add(started: Figures, acknowledged: Figures) {
        add(acknowledged.median, to: .acknowledged)
        add(started.percentile(50), to: .p50)
        add(started.percentile(90), to: .p90)
        add(started.percentile(99), to: .p99)
        add(started.most, to: .slowest)
    }

    /// nil: not measured.
    package subscript(metric: BenchMetric) -> Figures? { values[metric].flatMap(Figures.init) }
}
