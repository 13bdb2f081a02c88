import Foundation
import Martlet

// The children of a measurement.
await Worker.runAsChild(jobs: Children.jobs)
do {
    // Called again by itself as the other process of a measurement.
    if CommandLine.arguments.count == 4, CommandLine.arguments[1] == "produce" {
        try await PickUp.produce(CommandLine.arguments[2], jobs: Int(CommandLine.arguments[3])!)
        exit(0)
    }
    if CommandLine.arguments.count == 4, CommandLine.arguments[1] == "inflight" {
        try await InFlight.hold(CommandLine.arguments[2], jobs: Int(CommandLine.arguments[3])!)
        exit(0)
    }
    if CommandLine.arguments.count == 4, CommandLine.arguments[1] == "fill" {
        try await Processes.fill(CommandLine.arguments[2], jobs: Int(CommandLine.arguments[3])!)
        exit(0)
    }
    if CommandLine.arguments.count == 4, CommandLine.arguments[1] == "work" {
        try await Processes.work(CommandLine.arguments[2], until: CommandLine.arguments[3])
        exit(0)
    }
    if CommandLine.arguments.count == 3, CommandLine.arguments[1] == "drain" {
        try await Fleet.drain(CommandLine.arguments[2])
        exit(0)
    }
    if CommandLine.arguments.count == 3, CommandLine.arguments[1] == "soak" {
        try await Soak.work(CommandLine.arguments[2])
        exit(0)
    }
    let options: BenchOptions
    switch try BenchOptions.request(Array(CommandLine.arguments.dropFirst())) {
    case .run(let wanted): options = wanted
    case .say(let text):
        print(text)
        exit(0)
    }
    Interrupts.tell()
    let machine = try Machine()
    let bench = Bench(options, machine)
    print("\(machine.line)\nmedians of \(options.runs) runs, everything durable, args of about 100 bytes")
    var last = ""
    for one in options.cases {
        let engine = one.name.split(separator: ".")[0]
        if engine != last { print(engine == "pg" ? "\n\(try bench.postgres().line)" : "\nSQLite, synchronous=FULL") }
        last = String(engine)
        try await bench.carryOut(one)
    }
    print(bench.summary)
} catch {
    FileHandle.standardError.write(Data("MartletBench: \(error)\n".utf8))
    exit(error is UsageMistake ? UsageMistake.status : 1)
}
