import ArgumentParser
import MartletCore

struct BenchOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Only these of enqueue, drain, latency and in-flight.", valueName: "cases"))
    var only: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Jobs to enqueue and to drain; at most so many at a time. (default: 50000)", valueName: "n"))
    var jobs: String?

    @Option(
        parsing: .unconditional, help: ArgumentHelp("Tasks that enqueue one by one. (default: 64)", valueName: "n"))
    var tasks: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Jobs that run at a time while the worker drains. (default: 100)", valueName: "n"))
    var concurrency: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Jobs that wait at the same time, for in-flight. (default: 10000)", valueName: "n"))
    var inFlight: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "How long a run enqueues one by one, and how long it looks at latency. (default: 3)", valueName: "n"))
    var seconds: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("How often all of it is done; medians are shown. (default: 3)", valueName: "n"))
    var runs: String?

    func plan() throws(InvalidInput) -> BenchPlan {
        var plan = BenchPlan()
        if let only { plan.cases = try BenchPlan.cases(only, field: "--only") }
        plan.jobs = try Values.integer(jobs, field: "--jobs", in: 1...10_000_000) ?? plan.jobs
        plan.tasks = try Values.integer(tasks, field: "--tasks", in: 1...10_000) ?? plan.tasks
        plan.concurrency =
            try Values.integer(concurrency, field: "--concurrency", in: Limits.concurrency) ?? plan.concurrency
        plan.inFlight = try Values.integer(inFlight, field: "--in-flight", in: Limits.concurrency) ?? plan.inFlight
        plan.seconds = try Values.integer(seconds, field: "--seconds", in: 1...3_600) ?? plan.seconds
        plan.runs = try Values.integer(runs, field: "--runs", in: 1...1_000) ?? plan.runs
        return plan
    }
}
