import Foundation
import MartletCore

/// Several runs of one thing, told by their median: machines are shared, and one run proves nothing.
struct Measurement {
    let caseName: String
    let name: String
    let unit: String
    let values: [Double]
    /// What the project promises, in the same unit, and whether more is better.
    let target: (value: Double, isFloor: Bool)?

    var median: Double { MartletBench.median(values) }

    var isMet: Bool {
        guard let target else { return true }
        return target.isFloor ? median >= target.value : median <= target.value
    }

    var line: String {
        let range = "\(format(values.min() ?? .nan)) … \(format(values.max() ?? .nan))"
        let goal = target.map { "\($0.isFloor ? "≥" : "≤") \(format($0.value)) \(isMet ? "met" : "MISSED")" } ?? ""
        return [pad("  " + name, 60), pad("\(format(median)) \(unit)", 18), pad("(\(range))", 26), goal].joined(
            separator: " ")
    }

    private func format(_ value: Double) -> String {
        switch abs(value) {
        case 1_000...: String(Int(value.rounded()))
        case 10..<1_000: String(format: "%.1f", value)
        default: String(format: "%.3f", value)
        }
    }

    private func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}

func seconds(_ body: () async throws -> Void) async rethrows -> Double {
    let start = ContinuousClock.now
    try await body()
    let (seconds, attoseconds) = (ContinuousClock.now - start).components
    return Double(seconds) + Double(attoseconds) * 1e-18
}

func median(_ values: [Double]) -> Double { Figures(values)?.median ?? .nan }

/// - Parameter share: 0.01 to 1, in hundredths.
func percentile(_ values: [Double], _ share: Double) -> Double {
    Figures(values)?.percentile(Int((share * 100).rounded())) ?? .nan
}
