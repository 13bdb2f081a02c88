/// Durations as people write them: `250ms`, `30s`, `5m`, `2h`, `7d`, `1h30m`, `1.5s`.
extension Duration {
    /// One or more numbers with a unit, the larger unit first; only the last may have a fraction, down to microseconds.
    package init(parsing text: String, field: String) throws(InvalidInput) {
        let example = "expected a number and a unit (ms, s, m, h, d), such as 30s or 1h30m"
        func refused(_ reason: String) -> InvalidInput {
            InvalidInput(field: field, reason: "\(CappedText.head(text, bytes: 64).debugDescription) \(reason)")
        }
        guard !text.isEmpty else { throw InvalidInput(field: field, reason: "is empty; \(example)") }
        guard !text.utf8.starts(with: "-".utf8) else { throw refused("is negative; \(example)") }

        var rest = Substring(text)
        var total: Int64 = 0
        var previous = Int64.max
        var fraction = false
        while !rest.isEmpty {
            guard !fraction else { throw refused("has a fraction before its last unit; \(example)") }
            let digits = rest.prefix(while: \.isDigitOrPoint)
            rest = rest.dropFirst(digits.count)
            let name = rest.prefix { !$0.isDigitOrPoint }
            rest = rest.dropFirst(name.count)
            guard !digits.isEmpty else { throw refused("is not a duration; \(example)") }
            guard !name.isEmpty else { throw refused("has no unit; \(example)") }
            guard let unit = Self.units.first(where: { $0.name == name })?.microseconds else {
                throw refused("has the unknown unit \(String(name).debugDescription); \(example)")
            }
            guard unit < previous else { throw refused("must name each unit once, the larger first; \(example)") }
            previous = unit
            fraction = digits.contains(".")
            switch Self.microseconds(String(digits), unit: unit) {
            case .exactly(let part): total += part
            case .notANumber: throw refused("is not a duration; \(example)")
            case .tooFine: throw refused("is finer than a microsecond")
            case .tooLong: throw refused("is too long; at most \(Limits.longestDuration.text)")
            }
            guard total <= Limits.longestDuration.microseconds else {
                throw refused("is too long; at most \(Limits.longestDuration.text)")
            }
        }
        self = .microseconds(total)
    }

    /// The larger units first, nothing that is zero, exact to the microsecond: what the parser reads back.
    /// Negative ones, which occur only as differences, begin with `-`.
    package var text: String {
        var rest = microseconds.magnitude
        guard rest > 0 else { return "0s" }
        var text = microseconds < 0 ? "-" : ""
        for (name, unit) in Self.units.dropLast(2) where rest >= unit {
            text += "\(rest / unit.magnitude)\(name)"
            rest %= unit.magnitude
        }
        if rest >= 1_000_000 || (rest > 0 && text.utf8.count > 1) {
            text += Self.decimal(rest, unit: 1_000_000, digits: 6) + "s"
        } else if rest > 0 {
            text += Self.decimal(rest, unit: 1_000, digits: 3) + "ms"
        }
        return text
    }

    private static let units: [(name: String, microseconds: Int64)] = [
        ("d", 86_400_000_000), ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1_000),
    ]

    private enum Part {
        case exactly(Int64)
        case notANumber, tooFine, tooLong
    }

    private static func microseconds(_ number: String, unit: Int64) -> Part {
        let halves = number.split(separator: ".", omittingEmptySubsequences: false)
        guard halves.count <= 2, halves.allSatisfy({ !$0.isEmpty }) else { return .notANumber }
        guard let whole = Int64(halves[0]) else { return .tooLong }
        let (product, overflow) = whole.multipliedReportingOverflow(by: unit)
        guard !overflow, product <= Limits.longestDuration.microseconds else { return .tooLong }
        guard halves.count == 2 else { return .exactly(product) }

        var places = halves[1]
        while places.last == "0" { places.removeLast() }
        guard places.utf8.count <= 18, let numerator = Int128("0" + places) else { return .tooFine }
        let denominator = places.utf8.reduce(Int128(1)) { power, _ in power * 10 }
        let (part, remainder) = (numerator * Int128(unit)).quotientAndRemainder(dividingBy: denominator)
        guard remainder == 0 else { return .tooFine }
        return .exactly(product + Int64(part))
    }

    private static func decimal(_ value: UInt64, unit: UInt64, digits: Int) -> String {
        let whole = String(value / unit)
        guard value % unit != 0 else { return whole }
        var fraction = String(value % unit)
        fraction = String(repeating: "0", count: digits - fraction.count) + fraction
        while fraction.hasSuffix("0") { fraction.removeLast() }
        return whole + "." + fraction
    }
}

extension Character {
    fileprivate var isDigitOrPoint: Bool {
        // By its ASCII value: a range of characters would take digits with accents as well.
        asciiValue.map { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || $0 == UInt8(ascii: ".") } ?? false
    }
}
