import Foundation
import Martlet

// Called again by itself as the other process of a measurement.
if CommandLine.arguments.count == 4, CommandLine.arguments[1] == "produce" {
    try await PickUp.produce(path: CommandLine.arguments[2], jobs: Int(CommandLine.arguments[3])!)
    exit(0)
}

let wanted = Set(CommandLine.arguments.dropFirst())
let runs = Int(ProcessInfo.processInfo.environment["RUNS"] ?? "5") ?? 5

func report(_ name: String, _ unit: String, atLeast floor: Double? = nil, atMost ceiling: Double? = nil, _ values: [Double])
{
    let target = floor.map { ($0, true) } ?? ceiling.map { ($0, false) }
    print(Measurement(name: name, unit: unit, values: values, target: target.map { (value: $0.0, isFloor: $0.1) }).line)
}

/// One run to warm up, then those that count.
func repeated<T>(_ body: () async throws -> T) async throws -> [T] {
    _ = try await body()
    var results: [T] = []
    for _ in 0..<runs { results.append(try await body()) }
    return results
}

func section(_ key: String, _ body: () async throws -> Void) async throws {
    if wanted.isEmpty || wanted.contains(key) { try await body() }
}

print(
    "medians of \(runs) runs; \(ProcessInfo.processInfo.processorCount) processors; SQLite, synchronous=FULL, args of 100 bytes"
)

try await section("bulk") {
    let values = try await repeated { try await Throughput.bulkEnqueue(jobs: 1_000_000) }
    report("bulk enqueue of 1 M jobs", "jobs/s", atLeast: 300_000, values)
}
try await section("single") {
    let values = try await repeated { try await Throughput.singleEnqueue(tasks: 64, each: 2_000) }
    report("64 tasks enqueueing one job at a time", "jobs/s", atLeast: 50_000, values)
}
try await section("drain") {
    let values = try await repeated { try await Throughput.drain(jobs: 1_000_000) }
    report("drain of 1 M waiting no-op jobs", "jobs/s", atLeast: 150_000, values)
}
try await section("pickup") {
    var floors: [Double] = []
    let values = try await repeated {
        // Side by side with each run: what a disk takes changes by the minute where others use it too.
        floors.append(percentile(try await PickUp.floor(times: 100), 0.5))
        return try await PickUp.run(jobs: 300)
    }
    report("the disk alone: 4 pages and fdatasync, p50", "ms", floors)
    report("pick-up, other process to idle worker, p50", "ms", atMost: 1, values.map { percentile($0, 0.5) })
    report("pick-up, other process to idle worker, p99", "ms", atMost: 5, values.map { percentile($0, 0.99) })
}
try await section("http") {
    let values = try await repeated { try await HTTPJobs.run(jobs: 100, milliseconds: 150) }
    report("100 HTTP jobs, a server that takes 150 ms", "s", atMost: 0.35, values)
}
try await section("idle") {
    let costs = try await repeated { try await Idle.run(for: .seconds(10)) }
    report("idle daemon, processor time", "% of a core", atMost: 0.3, costs.map(\.cpu))
    report("idle daemon, memory", "MiB", atMost: 40, costs.map(\.mebibytes))
}
try await section("process") {
    try await withDirectory { directory in
        let values = try await repeated {
            let times = try await repeated {
                try await Programs.time(
                    ["enqueue", "nothing", "{\"number\": 1}"], database: directory.appendingPathComponent("martlet.db"))
            }
            return percentile(times, 0.5)
        }
        report("one martlet enqueue, whole process", "ms", atMost: 25, values)
    }
}
try await section("large") {
    try await withDirectory { directory in
        let database = directory.appendingPathComponent("martlet.db")
        try await LargeDatabase.make(database.path)
        for arguments in [
            ["jobs", "list"], ["jobs", "list", "--state", "completed"],
            ["jobs", "list", "--state", "failed", "--kind", "mixed"],
            ["jobs", "list", "--state", "scheduled"], ["jobs", "list", "--state", "running"], ["jobs", "show", "1000001"],
            ["failed"], ["stats"], ["queues", "list"],
        ] {
            let values = try await repeated { try await Programs.time(arguments, database: database) }
            report("2 M jobs: martlet \(arguments.joined(separator: " "))", "ms", atMost: 100, values)
        }
    }
}
