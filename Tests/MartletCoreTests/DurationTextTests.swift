import MartletCore
import MartletTestSupport
import Testing

struct DurationTextTests {
    @Test(
        arguments: [
            ("250ms", .milliseconds(250)), ("30s", .seconds(30)), ("5m", .seconds(300)), ("2h", .seconds(7_200)),
            ("7d", .seconds(604_800)), ("1h30m", .seconds(5_400)), ("1.5s", .milliseconds(1_500)), ("0s", .zero),
            ("0.25ms", .microseconds(250)), ("0.5d", .seconds(43_200)), ("1d2h3m4s5ms", .milliseconds(93_784_005)),
            ("0.00000000125d", .microseconds(108)), ("1.500000000000s", .milliseconds(1_500)), ("007s", .seconds(7)),
            ("36500d", .seconds(36_500 * 86_400)),
        ] as [(String, Duration)])
    func `a duration is read`(text: String, duration: Duration) throws {
        #expect(try Duration(parsing: text, field: "timeout") == duration)
    }

    @Test(
        arguments: [
            (.zero, "0s"), (.milliseconds(250), "250ms"), (.milliseconds(1_500), "1.5s"), (.seconds(90), "1m30s"),
            (.seconds(5_400), "1h30m"), (.milliseconds(60_001), "1m0.001s"), (.microseconds(1_250), "1.25ms"),
            (.seconds(604_800), "7d"), (.seconds(-30), "-30s"), (.milliseconds(-5), "-5ms"),
        ] as [(Duration, String)])
    func `a duration is printed`(duration: Duration, text: String) {
        #expect(duration.text == text)
    }

    @Test func `what is printed is read back exactly`() throws {
        var random = SplitMix64(seed: 11)
        for _ in 0..<5_000 {
            let bits = Int64.random(in: 1...50, using: &random)
            let duration = Duration.microseconds(Int64.random(in: 0..<(1 << bits), using: &random))
            #expect(try Duration(parsing: duration.text, field: "in") == duration, "\(duration.text)")
        }
    }

    @Test(arguments: [
        ("", "is empty"), ("30", "has no unit"), ("-5s", "is negative"), ("5 m", "has the unknown unit \" m\""),
        ("5min", "has the unknown unit \"min\""), ("5S", "has the unknown unit \"S\""), ("s", "is not a duration"),
        ("1..5s", "is not a duration"), (".5s", "is not a duration"), ("1.s", "is not a duration"),
        ("+5s", "is not a duration"),
        ("1.5h30m", "has a fraction before its last unit"), ("30m1h", "must name each unit once"),
        ("1s1s", "must name each unit once"), ("0.0001ms", "is finer than a microsecond"),
        ("1.0000000000000000000001s", "is finer than a microsecond"), ("36501d", "is too long; at most 36500d"),
        ("99999999999999999999s", "is too long"), ("9223372036854775807d", "is too long"), ("36500d1ms", "is too long"),
        ("5\u{301}s", "is not a duration"), ("٣s", "is not a duration"), ("1e3s", "unknown unit"),
    ])
    func `what is no duration is refused with the reason`(text: String, reason: String) {
        let said = rejection { () throws(InvalidInput) in _ = try Duration(parsing: text, field: "timeout") }
        #expect(said.hasPrefix("timeout: "))
        #expect(said.contains(reason), "\(said)")
    }

    @Test func `the reason shows an example`() {
        let said = rejection { () throws(InvalidInput) in _ = try Duration(parsing: "30", field: "in") }
        #expect(said == #"in: "30" has no unit; expected a number and a unit (ms, s, m, h, d), such as 30s or 1h30m"#)
    }
}
