import MartletCore
import Testing

struct TimestampTests {
    @Test func `sums are exact to the microsecond`() {
        let time = Timestamp(microseconds: 1_000)
        #expect(time + .microseconds(5) == Timestamp(microseconds: 1_005))
        #expect(time - .seconds(1) == Timestamp(microseconds: -999_000))
        #expect(time - Timestamp(microseconds: 3_000) == .milliseconds(-2))
    }

    @Test func `sums stop at the ends of the range`() {
        let (first, last) = (Timestamp(microseconds: .min), Timestamp(microseconds: .max))
        for huge in [Duration.seconds(Int64.max), .seconds(Int64.max) * 9, .microseconds(Int64.max)] {
            #expect(last + huge == last)
            #expect(first - huge == first)
            #expect(last - (.zero - huge) == last)
            #expect(first + (.zero - huge) == first)
        }
        #expect(last - .seconds(Int64.max) == first, "further than the range is wide")
        #expect(last - first == .microseconds(Int64.max) - .microseconds(Int64.min))
        #expect(first - last == .microseconds(Int64.min) - .microseconds(Int64.max))
    }

    @Test func `a duration too long for its unit is the longest of that unit`() {
        let huge = Duration.seconds(Int64.max) * 9
        #expect(huge.microseconds == .max)
        #expect((.zero - huge).microseconds == .min)
        #expect(huge.milliseconds == .max / 1_000)
        #expect(abs(huge.inSeconds / (9 * Double(Int64.max)) - 1) < 1e-12)
        #expect(Duration.milliseconds(-1_500).microseconds == -1_500_000)
        #expect(Duration.nanoseconds(-1_999).microseconds == -1)
        #expect(Duration.milliseconds(1_500).inSeconds == 1.5)
        #expect(huge.text.hasSuffix("s"))
    }
}
