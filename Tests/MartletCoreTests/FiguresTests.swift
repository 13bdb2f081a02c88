import MartletCore
import Testing

@Suite struct FiguresTests {
    @Test func `nothing measured is no figure`() {
        #expect(Figures([]) == nil)
    }

    @Test func `the median is in the middle, or between the two there`() throws {
        #expect(try #require(Figures([7])).median == 7)
        #expect(try #require(Figures([9, 1, 5])).median == 5)
        #expect(try #require(Figures([4, 1, 3, 2])).median == 2.5)
    }

    @Test func `values stay in the order they were measured in`() throws {
        let figures = try #require(Figures([3, 1, 2]))
        #expect(figures.values == [3, 1, 2])
        #expect(figures.least == 1)
        #expect(figures.most == 3)
    }

    @Test func `a percentile is a value that was measured, and the hundredth the greatest`() throws {
        let hundred = try #require(Figures((1...100).reversed().map(Double.init)))
        #expect(hundred.percentile(1) == 1)
        #expect(hundred.percentile(50) == 50)
        #expect(hundred.percentile(99) == 99)
        #expect(hundred.percentile(100) == 100)
        let three = try #require(Figures([10, 30, 20]))
        #expect(three.percentile(50) == 20)
        #expect(three.percentile(90) == 30)
        #expect(try #require(Figures([4])).percentile(1) == 4)
    }

    @Test func `the spread is a part of the median, and one run has none`() throws {
        #expect(try #require(Figures([90, 100, 130])).spread == 0.4)
        #expect(try #require(Figures([5])).spread == nil)
        #expect(try #require(Figures([0, 0])).spread == nil)
    }
}
