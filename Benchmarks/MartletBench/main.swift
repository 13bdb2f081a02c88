import Foundation

let wanted = Set(CommandLine.arguments.dropFirst())
let runs = Int(ProcessInfo.processInfo.environment["RUNS"] ?? "5") ?? 5
func isWanted(_ name: String) -> Bool { wanted.isEmpty || wanted.contains(name) }

func measure(
    _ key: String, _ name: String, _ unit: String, _ target: (Double, isFloor: Bool)?, _ body: () async throws -> Double
) async throws {
    guard isWanted(key) else { return }
    var values: [Double] = []
    for _ in 0..<runs { values.append(try await body()) }
    print(Measurement(name: name, unit: unit, values: values, target: target.map { ($0.0, $0.isFloor) }).line)
}

try await measure("bulk", "bulk enqueue, 1 M jobs of 100 bytes", "jobs/s", (300_000, true)) {
    try await Throughput.bulkEnqueue(jobs: 1_000_000)
}
try await measure("single", "64 tasks enqueueing one at a time", "jobs/s", (50_000, true)) {
    try await Throughput.singleEnqueue(tasks: 64, each: 2_000)
}
try await measure("drain", "drain of 1 M waiting no-op jobs", "jobs/s", (150_000, true)) {
    try await Throughput.drain(jobs: 1_000_000)
}
