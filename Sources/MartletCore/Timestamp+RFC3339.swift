/// Moments as people and programs write them: RFC 3339, printed always in UTC with milliseconds.
extension Timestamp {
    /// Any offset, any fraction (kept to the microsecond), `T` or a space between date and time; years 1 to 9999.
    package init(rfc3339 text: String, field: String) throws(InvalidInput) {
        let shown = CappedText.head(text, bytes: 64).debugDescription
        var reader = TimestampReader(utf8: Array(text.utf8))
        do throws(TimestampReader.Flaw) {
            self = try reader.timestamp()
        } catch {
            throw InvalidInput(field: field, reason: "\(shown) \(error.reason)")
        }
    }

    package var rfc3339: String {
        var milliseconds = Int(microseconds / 1_000)
        if microseconds % 1_000 < 0 { milliseconds -= 1 }
        var days = milliseconds / 86_400_000
        if milliseconds % 86_400_000 < 0 { days -= 1 }
        let ofDay = milliseconds - days * 86_400_000
        let date = CivilDate(daysSince1970: days)
        func padded(_ value: Int, _ digits: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
        }
        let day = "\(padded(date.year, 4))-\(padded(date.month, 2))-\(padded(date.day, 2))"
        let second = "\(padded(ofDay / 1_000 % 60, 2)).\(padded(ofDay % 1_000, 3))"
        return "\(day)T\(padded(ofDay / 3_600_000, 2)):\(padded(ofDay / 60_000 % 60, 2)):\(second)Z"
    }
}

/// Reads one timestamp from left to right.
private struct TimestampReader {
    struct Flaw: Error {
        let reason: String
    }

    private static let example = "such as 2026-11-21T09:30:00Z or 2026-11-21T10:30:00+01:00"

    let utf8: [UInt8]
    var position = 0

    init(utf8: [UInt8]) { self.utf8 = utf8 }

    mutating func timestamp() throws(Flaw) -> Timestamp {
        guard !utf8.isEmpty else { throw malformed }
        let date = try date()
        guard position < utf8.count else { throw Flaw(reason: "has no time of day; expected a time \(Self.example)") }
        guard take("T") || take("t") || take(" ") else { throw malformed }
        let timeOfDay = try timeOfDay()
        guard position < utf8.count else {
            throw Flaw(reason: "has no time zone; add Z for UTC or an offset, \(Self.example)")
        }
        let offset = try offset()
        guard position == utf8.count else { throw malformed }

        let microseconds = date.daysSince1970 * 86_400_000_000 + timeOfDay - offset
        guard Self.years.contains(microseconds) else { throw Flaw(reason: "is outside the years 1 to 9999") }
        return Timestamp(microseconds: Int64(microseconds))
    }

    private mutating func date() throws(Flaw) -> CivilDate {
        let year = try digits(4)
        try expect("-")
        let month = try digits(2)
        try expect("-")
        let day = try digits(2)
        guard year >= 1 else { throw Flaw(reason: "is outside the years 1 to 9999") }
        guard 1...12 ~= month else { throw Flaw(reason: "does not exist: there is no month \(month)") }
        let days = CivilDate.daysIn(month: month, year: year)
        guard 1...days ~= day else {
            throw Flaw(reason: "does not exist: \(CivilDate.monthNames[month - 1]) \(year) has \(days) days")
        }
        return CivilDate(year: year, month: month, day: day)
    }

    private mutating func timeOfDay() throws(Flaw) -> Int {
        let hour = try digits(2)
        try expect(":")
        let minute = try digits(2)
        try expect(":")
        let second = try digits(2)
        guard hour <= 23 else { throw Flaw(reason: "does not exist: hours go from 00 to 23") }
        guard minute <= 59 else { throw Flaw(reason: "does not exist: minutes go from 00 to 59") }
        guard second <= 59 else { throw Flaw(reason: "does not exist: seconds go from 00 to 59 (no leap seconds)") }
        var fraction = 0
        if take(".") {
            var place = 100_000
            _ = try digits(1, peek: true)
            while let digit = digit {
                fraction += digit * place
                place /= 10
                position += 1
            }
        }
        return ((hour * 60 + minute) * 60 + second) * 1_000_000 + fraction
    }

    private mutating func offset() throws(Flaw) -> Int {
        if take("Z") || take("z") { return 0 }
        let sign = take("-") ? -1 : 1
        if sign == 1 {
            guard take("+") else {
                throw Flaw(reason: "has no time zone after the time; add Z for UTC or an offset, \(Self.example)")
            }
        }
        let hours = try digits(2)
        try expect(":")
        let minutes = try digits(2)
        guard hours <= 23, minutes <= 59 else {
            throw Flaw(reason: "has an offset that does not exist: from -23:59 to +23:59")
        }
        return sign * (hours * 60 + minutes) * 60_000_000
    }

    private static let years =
        CivilDate(year: 1, month: 1, day: 1).daysSince1970 * 86_400_000_000..<CivilDate(year: 10_000, month: 1, day: 1)
        .daysSince1970 * 86_400_000_000

    private var malformed: Flaw { Flaw(reason: "is not an RFC 3339 time, \(Self.example)") }

    private var digit: Int? {
        guard position < utf8.count, UInt8(ascii: "0")...UInt8(ascii: "9") ~= utf8[position] else { return nil }
        return Int(utf8[position] - UInt8(ascii: "0"))
    }

    private mutating func digits(_ count: Int, peek: Bool = false) throws(Flaw) -> Int {
        let start = position
        var value = 0
        for _ in 0..<count {
            guard let digit else { throw malformed }
            value = value * 10 + digit
            position += 1
        }
        if peek { position = start }
        return value
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard position < utf8.count, utf8[position] == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func expect(_ character: Unicode.Scalar) throws(Flaw) {
        guard take(character) else { throw malformed }
    }
}
