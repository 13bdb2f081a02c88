/// What was measured of one thing, several times or of many jobs. Never empty: what was not measured has no figures.
package struct Figures: Sendable, Equatable {
    /// In the order they were measured.
    package let values: [Double]
    private let sorted: [Double]

    package init?(_ values: [Double]) {
        guard !values.isEmpty else { return nil }
        self.values = values
        sorted = values.sorted()
    }

    package var least: Double { sorted[0] }
    package var most: Double { sorted[sorted.count - 1] }

    /// Between the two in the middle where there is no middle one.
    package var median: Double {
        let middle = sorted.count / 2
        return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
    }

    /// The smallest value that so much of a hundred is not above.
    package func percentile(_ share: Int) -> Double {
        precondition((1...100).contains(share))
        return sorted[(sorted.count * share + 99) / 100 - 1]
    }

    /// How far the runs lie apart, as a part of the median; nil where that says nothing: of one run, or around zero.
    package var spread: Double? { values.count > 1 && median > 0 ? (most - least) / median : nil }
}
