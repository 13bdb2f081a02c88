import Foundation
import MartletCore
import MartletTestSupport
import Testing

struct TimestampRFC3339Tests {
    @Test(
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2026-11-21T09:30:00Z", 1_795_253_400_000_000),
            ("2026-11-21T10:30:00+01:00", 1_795_253_400_000_000), ("2026-11-21t04:00:00.0-05:30", 1_795_253_400_000_000),
            ("2026-11-21 09:30:00z", 1_795_253_400_000_000), ("1969-12-31T23:59:59.999999Z", -1),
            ("1970-01-01T00:00:00.1234567899Z", 123_456), ("2000-02-29T00:00:00Z", 951_782_400_000_000),
            ("0001-01-01T00:00:00Z", -62_135_596_800_000_000), ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
        ] as [(String, Int64)])
    func `a time is read`(text: String, microseconds: Int64) throws {
        #expect(try Timestamp(rfc3339: text, field: "at") == Timestamp(microseconds: microseconds))
    }

    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (1_795_253_400_000_000, "2026-11-21T09:30:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"), (-62_135_596_800_000_000, "0001-01-01T00:00:00.000Z"),
            (253_402_300_799_999_999, "9999-12-31T23:59:59.999Z"), (1_999, "1970-01-01T00:00:00.001Z"),
        ] as [(Int64, String)])
    func `a time is printed in UTC with milliseconds`(microseconds: Int64, text: String) {
        #expect(Timestamp(microseconds: microseconds).rfc3339 == text)
    }

    @Test func `no moment a store can hold is unprintable`() {
        #expect(Timestamp(microseconds: .max).rfc3339 == "294247-01-10T04:00:54.775Z")
        #expect(Timestamp(microseconds: .min).rfc3339.hasSuffix("-12-21T19:59:05.224Z"))
    }

    @Test(arguments: [
        ("2026-02-30T00:00:00Z", "does not exist: February 2026 has 28 days"),
        ("1900-02-29T00:00:00Z", "does not exist: February 1900 has 28 days"),
        ("2026-04-31T00:00:00Z", "does not exist: April 2026 has 30 days"),
        ("2026-01-00T00:00:00Z", "does not exist: January 2026 has 31 days"),
        ("2026-13-01T00:00:00Z", "does not exist: there is no month 13"),
        ("2026-00-01T00:00:00Z", "does not exist: there is no month 0"),
        ("2026-11-21T25:00:00Z", "does not exist: hours go from 00 to 23"),
        ("2026-11-21T24:00:00Z", "does not exist: hours go from 00 to 23"),
        ("2026-11-21T09:60:00Z", "does not exist: minutes go from 00 to 59"),
        ("2026-11-21T23:59:60Z", "does not exist: seconds go from 00 to 59"),
        ("2026-11-21T09:30:00", "has no time zone; add Z for UTC or an offset, such as 2026-11-21T09:30:00Z"),
        ("2026-11-21T09:30:00 Z", "has no time zone after the time"),
        ("2026-11-21T09:30:00+24:00", "has an offset that does not exist"), ("2026-11-21", "has no time of day"),
        ("0000-01-01T00:00:00Z", "is outside the years 1 to 9999"),
        ("0001-01-01T00:00:00+00:01", "is outside the years 1 to 9999"),
        ("9999-12-31T23:59:00-00:01", "is outside the years 1 to 9999"),
        ("2026-11-21T09:30:00.Z", "is not an RFC 3339 time"), ("2026-11-21T09:30:00Zx", "is not an RFC 3339 time"),
        ("2026-11-21T09:30Z", "is not an RFC 3339 time"), ("tomorrow", "is not an RFC 3339 time"),
        ("", "is not an RFC 3339"),
        ("2026-11-21T09:30:00+0100", "is not an RFC 3339 time"), ("1795253400", "is not an RFC 3339 time"),
    ])
    func `a time that cannot be is refused with the reason`(text: String, reason: String) {
        let said = rejection { () throws(InvalidInput) in _ = try Timestamp(rfc3339: text, field: "run_at") }
        #expect(said.hasPrefix("run_at: "))
        #expect(said.contains(reason), "\(said)")
    }

    @Test func `generated moments agree with Foundation and come back`() throws {
        var calendar = Calendar(identifier: .iso8601)
        calendar.timeZone = TimeZone(identifier: "UTC")!
        let formatter = ISO8601DateFormatter()
        formatter.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
        var random = SplitMix64(seed: 5)
        for _ in 0..<3_000 {
            // From 1583 on: before, Foundation may count by the Julian calendar.
            let milliseconds = Int64.random(in: -12_212_553_600_000..<253_402_300_800_000, using: &random)
            let stamp = Timestamp(microseconds: milliseconds * 1_000)
            #expect(stamp.rfc3339 == formatter.string(from: Date(timeIntervalSince1970: Double(milliseconds) / 1_000)))
            #expect(try Timestamp(rfc3339: stamp.rfc3339, field: "at") == stamp)
        }
    }

    @Test func `every day of four hundred years, after which the calendar repeats, follows the one before`() throws {
        var previous = try Timestamp(rfc3339: "1900-01-01T00:00:00Z", field: "at")
        for _ in 0..<146_097 {
            let next = previous + .seconds(86_400)
            #expect(next.rfc3339 > previous.rfc3339)
            previous = next
        }
    }
}
