/// Numbers with their nouns: `1 job`, `12 000 jobs`.
enum Counted {
    static func lines(_ count: Int) -> String { "\(grouped(count)) \(count == 1 ? "line" : "lines")" }

    static func jobs(_ count: Int) -> String { "\(grouped(count)) \(count == 1 ? "job" : "jobs")" }

    /// Digits in groups of three.
    static func grouped(_ count: Int) -> String {
        var text = ""
        for (index, digit) in String(count).reversed().enumerated() {
            if index > 0, index.isMultiple(of: 3), digit != "-" { text.append(" ") }
            text.append(digit)
        }
        return String(text.reversed())
    }
}
