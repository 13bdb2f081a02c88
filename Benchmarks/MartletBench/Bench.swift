import Foundation

/// One run of the program: what was asked for, what was measured, and the PostgreSQL server that its cases share.
final class Bench {
    let options: BenchOptions
    private(set) var measurements: [Measurement] = []
    private(set) var curves: [Curve] = []
    /// The name of the case that runs.
    var current = ""
    private let machine: Machine
    private var server: BenchServer?
    private var unsaved: (any Error)?

    init(_ options: BenchOptions, _ machine: Machine) {
        self.options = options
        self.machine = machine
    }

    /// Started by the first case that asks.
    func postgres() throws -> BenchServer {
        if let server { return server }
        let new = try BenchServer()
        server = new
        return new
    }

    /// The server's version and what was set, once there is one.
    var serverSettings: [String: String] { server?.settings ?? [:] }

    /// Named before it begins: some take minutes, and whoever looks wants to know for what.
    func carryOut(_ one: Case) async throws {
        current = one.name
        print("\n\(one.name): \(one.what)")
        fflush(nil)
        save()
        let taken: Double
        do { taken = try await seconds { try await one.run(self) } } catch { throw Failure("\(one.name): \(error)") }
        save()
        if let unsaved { throw Failure("\(options.json ?? "") cannot be written: \(unsaved.localizedDescription)") }
        print("  took \(Int(taken.rounded())) s")
    }

    /// After each result, as a run that is cut short keeps what it has. What goes wrong is told when the case has ended.
    private func save() {
        guard let path = options.json else { return }
        do { try JSONReport(self, machine).write(to: path) } catch { unsaved = error }
    }

    /// The last line: how many targets there were, and which were missed.
    var summary: String {
        let aimed = measurements.filter { $0.target != nil }
        let missed = aimed.filter { !$0.isMet }
        let lines = missed.map { "  \($0.caseName): \($0.name.trimmingCharacters(in: .whitespaces))" }
        let counts = "\(aimed.count - missed.count) of \(aimed.count) targets met"
        return "\n" + ([missed.isEmpty ? counts : counts + "; missed:"] + lines).joined(separator: "\n")
    }

    func report(
        _ name: String, _ unit: String, _ values: [Double], atLeast floor: Double? = nil, atMost ceiling: Double? = nil
    ) {
        let target = floor.map { (value: $0, isFloor: true) } ?? ceiling.map { (value: $0, isFloor: false) }
        let measurement = Measurement(caseName: current, name: name, unit: unit, values: values, target: target)
        measurements.append(measurement)
        print(measurement.line)
        // A file or a pipe shows each line as it comes, too.
        fflush(nil)
        save()
    }

    /// What a plot draws; only `--json` shows it.
    func draw(_ plot: String, _ name: String, x: [Double], y: [Double]) {
        curves.append(Curve(plot: plot, name: name, x: x, y: y))
    }

    /// What ours is of another's, round by round: both met the same noise.
    func reportRatio(_ name: String, _ values: [Double], of others: [Double], atLeast floor: Double) {
        report(name, "×", zip(values, others).map { $0 / $1 }, atLeast: floor)
    }

    /// One run to warm up, then those that count.
    func repeated<T>(_ body: () async throws -> T) async throws -> [T] {
        _ = try await body()
        return try await rounds(body)
    }

    /// Without one to warm up: for what brings a fresh database, or a floor that is measured beside it each time.
    func rounds<T>(_ body: () async throws -> T) async throws -> [T] {
        var results: [T] = []
        for _ in 0..<options.runs { results.append(try await body()) }
        return results
    }
}
