import MartletCore

/// The three forms of a date in HTTP (RFC 9110, 5.6.7). Names of days are not compared with their dates: nobody gains by it.
///
/// ```
/// Sun, 06 Nov 1994 08:49:37 GMT
/// Sunday, 06-Nov-94 08:49:37 GMT
/// Sun Nov  6 08:49:37 1994
/// ```
enum HTTPDate {
    /// - Parameter now: decides the century of a year with two digits: at most 50 years ahead.
    static func parse(_ text: String, now: Timestamp) -> Timestamp? {
        let words = text.split { $0 == " " || $0 == "," }.map(String.init)
        switch words.count {
        case 6 where words[5] == "GMT":
            guard let year = number(words[3], 4) else { return nil }
            return time(day: words[1], month: words[2], year: year, words[4])
        case 4 where words[3] == "GMT":
            let date = words[1].split(separator: "-").map(String.init)
            guard date.count == 3, let short = number(date[2], 2) else { return nil }
            return time(day: date[0], month: date[1], year: fullYear(short, now: now), words[2])
        case 5:
            guard let year = number(words[4], 4) else { return nil }
            return time(day: words[2], month: words[1], year: year, words[3])
        default: return nil
        }
    }

    private static func time(day: String, month: String, year: Int, _ clock: String) -> Timestamp? {
        let parts = clock.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard let month = CivilDate.monthNames.firstIndex(where: { $0.prefix(3) == month }).map({ $0 + 1 }),
            let day = number(day, 1...2), (1...CivilDate.daysIn(month: month, year: year)).contains(day),
            parts.count == 3, let hour = number(parts[0], 2), let minute = number(parts[1], 2),
            let second = number(parts[2], 2), hour < 24, minute < 60, second <= 60
        else { return nil }
        let days = CivilDate(year: year, month: month, day: day).daysSince1970
        return Timestamp(microseconds: Int64(((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000)
    }

    private static func fullYear(_ short: Int, now: Timestamp) -> Int {
        let today = CivilDate(daysSince1970: Int(now.microseconds / 86_400_000_000)).year
        let year = today - today % 100 + short
        return year > today + 50 ? year - 100 : year
    }

    private static func number(_ text: String, _ digits: Int) -> Int? { number(text, digits...digits) }

    private static func number(_ text: String, _ digits: ClosedRange<Int>) -> Int? {
        guard digits.contains(text.utf8.count), text.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
        return Int(text)
    }
}
