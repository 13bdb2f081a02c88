import Foundation

/// One line of a plot: the plot it belongs to says the units.
struct Curve: Codable {
    let plot: String
    let name: String
    let x: [Double]
    let y: [Double]
}

/// The whole run as one JSON object, for plots and comparisons.
struct JSONReport: Codable {
    struct Entry: Codable {
        let `case`: String
        let name: String
        let unit: String
        let median: Double
        let values: [Double]
        let atLeast: Double?
        let atMost: Double?
        let isMet: Bool
    }

    let at: Date
    let machine: Machine
    /// As `show` gives them, of the server that was started; empty when there was none.
    let postgres: [String: String]
    let runs: Int
    let minutes: Double
    let measurements: [Entry]
    let curves: [Curve]

    init(_ bench: Bench, _ machine: Machine) {
        at = Date()
        self.machine = machine
        postgres = bench.serverSettings
        runs = bench.options.runs
        minutes = bench.options.minutes
        curves = bench.curves
        measurements = bench.measurements.map { one in
            Entry(
                case: one.caseName, name: one.name, unit: one.unit, median: one.median, values: one.values,
                atLeast: one.target.flatMap { $0.isFloor ? $0.value : nil },
                atMost: one.target.flatMap { $0.isFloor ? nil : $0.value }, isMet: one.isMet)
        }
    }

    func write(to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.dateEncodingStrategy = .iso8601
        try encoder.encode(self).write(to: URL(fileURLWithPath: path))
    }
}
